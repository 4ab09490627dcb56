"""Sketch bridges: what reads a drawing for an encoder."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class EncoderSketch(models.Model):
    """The numbers of ``Encoder.sketch``, which says what they are worth (``imagery.encoders.sketch.pack``).

    Apart from the encoder's row because it is up to 2 MB (1,024 x 1,024 numbers of 2 bytes) and is needed only where a
    sketch is encoded. ``services.sketches`` writes both together.
    """

    encoder = models.OneToOneField(
        "imagery.Encoder", on_delete=models.CASCADE, primary_key=True, related_name="+", verbose_name=_("encoder")
    )
    checksum = models.CharField(_("checksum"), max_length=16)
    bridge = models.BinaryField(_("sketch bridge"))

    class Meta:
        verbose_name = _("sketch bridge")
        verbose_name_plural = _("sketch bridges")

    def __str__(self) -> str:
        return f"{self.encoder_id}/{self.checksum}"
