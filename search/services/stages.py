"""Changing the ranking stages of an encoder."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from imagery.models import Encoder
from search.ranking.stages import stage_defaults, stage_settings


def encoder_stages_set(*, encoder: Encoder, ranking: Mapping[str, Any]) -> Encoder:
    """Give an encoder other ranking stages; what equals the defaults of its kind is not kept. Return the stored row.

    Rankings made before keep their order; new searches use the new stages at once. Raises InvalidInput (field
    ``ranking``) that names the stage and the setting at fault; nothing is changed then.
    """
    wanted = stage_settings(kind=encoder.kind, ranking=ranking).as_json()
    default = stage_defaults(encoder.kind).as_json()
    differing = {
        name: changed
        for name, values in wanted.items()
        if (changed := {key: value for key, value in values.items() if value != default[name][key]})
    }
    with transaction.atomic():
        row = Encoder.objects.select_for_update().defer("probe", "text_mean", "image_mean").get(pk=encoder.pk)
        row.ranking = differing
        row.save(update_fields=["ranking"])
    return row
