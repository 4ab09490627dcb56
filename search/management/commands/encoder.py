"""``manage.py encoder``: see ``imagery.management.encoder_command``; the comparison is added here, for it searches."""

from imagery.management.encoder_command import EncoderCommand


class Command(EncoderCommand):
    """The encoders of the portal."""
