"""Which rows may be compared: permission and filters as the SQL of one set of scenes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db import connection
from numpy.typing import NDArray

from imagery.models import Encoder
from search.query import SearchRequest

if TYPE_CHECKING:
    from imagery.querysets import Viewer


@dataclass(frozen=True)
class Asked:
    """A query in the form the statements need: literals, so that the planner sees one partition and the values.

    ``scenes`` selects the ids of the scenes that pass; ``vector`` is a halfvec literal of ``dimension`` numbers.
    """

    encoder_id: int
    dimension: int
    scenes: str
    vector: str


def asked(*, vector: NDArray[np.float32], encoder: Encoder, request: SearchRequest, user: "Viewer") -> Asked | None:
    """Return the query in SQL, or None when Django knows without asking that nobody's rows match."""
    rows = request.scenes(user).order_by().values("pk")
    try:
        sql, parameters = rows.query.sql_with_params()
    except EmptyResultSet:  # A disabled account.
        return None
    scenes = connection.ops.compose_sql(sql, parameters)
    return Asked(encoder_id=int(encoder.pk), dimension=encoder.dimension, scenes=scenes, vector=vector_literal(vector))


def vector_literal(vector: NDArray[np.floating]) -> str:
    """Return a halfvec literal of the numbers (d,), rounded to half precision as the database would."""
    return "'[" + ",".join(map(str, vector.astype(np.float16).tolist())) + "]'::halfvec"
