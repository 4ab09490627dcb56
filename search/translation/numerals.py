"""Chinese numerals: 三 -> 3, 二十五 -> 25, 一百零二 -> 102."""

from typing import Final

_SPELLINGS: Final = ("零〇", "一壹", "二两贰俩", "三叁仨", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖")
_DIGITS: Final = {char: value for value, chars in enumerate(_SPELLINGS) for char in chars}
_UNITS: Final = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1_000, "仟": 1_000}
_TEN_THOUSAND: Final = 10_000


def numeral_value(text: str) -> int | None:
    """Return the value of a Chinese numeral below 100 million, or None if it is not written as one."""
    high, ten_thousand, low = text.partition("万")
    if not ten_thousand:
        return _below_ten_thousand(text)
    head = _below_ten_thousand(high) if high else 1
    tail = _below_ten_thousand(low) if low else 0
    return None if head is None or tail is None else head * _TEN_THOUSAND + tail


def _below_ten_thousand(text: str) -> int | None:
    if text and all(char in _DIGITS for char in text):  # 二〇二四, read digit by digit
        return int("".join(str(_DIGITS[char]) for char in text))
    total, digit = 0, None
    for char in text:
        if char in _UNITS:
            total += (1 if digit is None or digit == 0 else digit) * _UNITS[char]
            digit = None
        elif char in _DIGITS:
            digit = _DIGITS[char]
        else:
            return None
    return total + (digit or 0) if text else None
