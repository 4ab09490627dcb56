"""What the catalogue needs before the portal can serve."""

from rsportal.readiness import readiness_check


@readiness_check("encoder")
def active_encoder() -> None:
    """An encoder is active and its files are there. Reads only its small files."""
    from imagery.encoders.registry import describe
    from imagery.services.encoders import encoder_active, encoder_spec

    describe(encoder_spec(encoder_active()))
