"""What the active encoder needs from time to time, done by the worker so that nobody waits for it."""

from imagery.models import Encoder
from imagery.services.means import encoder_means_compute, encoder_means_refresh


def active_means_ensure() -> bool:
    """Compute the active encoder's means if it has none, or anew if the archive has grown; return whether it did.

    Raises Unavailable when the encoder cannot compute.
    """
    encoder = Encoder.objects.filter(state=Encoder.State.ACTIVE).first()
    if encoder is None:
        return False
    if encoder.text_mean is not None:
        return encoder_means_refresh()
    encoder_means_compute(encoder=encoder)
    return True
