"""Judging an encoder: how well it finds pictures by their captions and by the names of their classes.

``metrics`` (of one ranked list, and intervals), ``recall`` (captions and pictures, both ways), ``captions`` and
``phrases`` (the files), ``classes`` (judged phrases), ``pictures`` (decoding and encoding a folder).
"""
