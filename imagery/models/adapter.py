"""Adapters: the learned matrix that corrects an encoder's text vectors."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class EncoderAdapter(models.Model):
    """The matrix that belongs to ``Encoder.adapter``, which says what it is worth.

    Apart from the encoder's row because it is up to 2 MB (1,024 x 1,024 numbers of 2 bytes) and is needed only where a
    text is encoded. ``services.adapters`` writes both together.
    """

    encoder = models.OneToOneField(
        "imagery.Encoder", on_delete=models.CASCADE, primary_key=True, related_name="+", verbose_name=_("encoder")
    )
    checksum = models.CharField(_("checksum"), max_length=16)
    matrix = models.BinaryField(_("matrix"))

    class Meta:
        verbose_name = _("encoder adapter")
        verbose_name_plural = _("encoder adapters")

    def __str__(self) -> str:
        return f"{self.encoder_id}/{self.checksum}"
