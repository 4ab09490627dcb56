"""What the catalogue needs before the portal can serve."""

from rsportal.errors import Unavailable
from rsportal.readiness import readiness_check


@readiness_check("encoder")
def active_encoder() -> None:
    """An encoder is active, its files are there, and its last self-test passed. Reads only its small files."""
    from imagery.encoders.registry import describe
    from imagery.services.encoders import encoder_active, encoder_spec
    from imagery.services.selftest import CHANGED, selftest_problem

    encoder = encoder_active()
    describe(encoder_spec(encoder))
    if reason := selftest_problem(encoder):
        raise Unavailable(reason, code=CHANGED)
