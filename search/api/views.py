"""Search."""

from typing import Any, cast

from django.db.models import prefetch_related_objects
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from imagery.api.links import link
from imagery.models import Asset
from imagery.scene_outlines import windows_outlined
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.api.facet_serializers import facets_body
from search.api.serializers import SearchAnswerSerializer, SearchRequestSerializer
from search.facets import facets_get
from search.filters import FILTERS
from search.models import Query, Ranking
from search.query import SearchRequest, search_request_parse
from search.selectors import ranking_get
from search.services import Hit, SearchPage, ranking_page, search_run


class SearchView(APIView):
    """Finds scenes by words."""

    throttle_scope = "search"
    problem_codes = {"": ("400", "404")}

    @extend_schema(
        tags=["search"],
        operation_id="search",
        summary="Find scenes by words",
        description="The first page of a new search (`text` and filters), or a further page of an answer you got "
        "(`ranking` and `page`; follow `next`). Pages are cut from the stored answer, so that they neither repeat "
        "nor drop a scene.",
        parameters=[SearchRequestSerializer],
        responses=SearchAnswerSerializer,
    )
    def get(self, request: Request) -> Response:
        return self._answer(request, request.query_params)

    @extend_schema(
        tags=["search"],
        operation_id="search_by_post",
        summary="Find scenes by words (POST)",
        description="The same as GET, for long texts.",
        request=SearchRequestSerializer,
        responses=SearchAnswerSerializer,
    )
    def post(self, request: Request) -> Response:
        return self._answer(request, request.data)

    def _answer(self, request: Request, data: Any) -> Response:
        form = SearchRequestSerializer(data=data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        user = cast(User, request.user)
        anew = {"text", "examples"} & set(asked)
        ranking = _ranking(user, asked["ranking"], needed=not anew) if "ranking" in asked else None
        facets = None
        if ranking is None:
            wanted = _parse(user, asked)
            ranking = search_run(user=user, request=wanted, channel=Query.Channel.API)
            facets = facets_body(facets_get(user, wanted)) if asked["facets"] else None
        page = ranking_page(user=user, ranking=ranking, page=asked["page"], size=asked["limit"])
        return Response(SearchAnswerSerializer({**_body(request, page, size=asked["limit"]), "facets": facets}).data)


def _ranking(user: User, ranking_id: Any, *, needed: bool) -> Ranking | None:
    """Return the person's ranking; None if there is none and the words are there to ask anew."""
    try:
        return ranking_get(user, ranking_id)
    except Ranking.DoesNotExist:
        if not needed:
            return None
        raise NotFound(_("There is no such answer; it may have been erased. Search again.")) from None


def _parse(user: User, asked: dict[str, Any]) -> SearchRequest:
    try:
        return search_request_parse(
            user=user,
            text=asked.get("text", ""),
            translation=asked.get("translation", ""),
            clauses=[(each["text"], each["weight"]) for each in asked.get("clauses", ())],
            examples=asked.get("examples", ()),
            history=asked["history"],
            **{name: asked[name] for name in FILTERS if name in asked},
        )
    except InvalidInput as error:
        if error.field == "collection":  # The name of the field on the page.
            raise InvalidInput(error.message, code=error.code, field="collections") from None
        raise


def _body(request: Request, page: SearchPage, *, size: int) -> dict[str, Any]:
    ranking = page.ranking
    prefetch_related_objects([hit.scene for hit in page.hits], "assets")
    outlines = windows_outlined({hit.scene.pk: hit.window for hit in page.hits})
    following = f"{link(request, 'search')}?ranking={ranking.pk}&page={page.page + 1}&limit={size}"
    return {
        "query": ranking.query.text,
        "translation": ranking.query.translation or None,
        "untranslated": ranking.query.untranslated,
        "clauses": ranking.query.parsed.get("clauses", []),
        "examples": ranking.query.examples,
        "history": not ranking.query.without_history,
        "pieces": ranking.query.pieces,
        "encoder": ranking.encoder.name,
        "took_ms": ranking.took_ms,
        "searched": ranking.searched,
        "estimated": ranking.estimated,
        "total": page.total,
        "ranking": ranking.pk,
        "page": page.page,
        "pages": page.pages,
        "next": following if page.page < page.pages else None,
        "results": [_result(request, hit, outlines.get(hit.scene.pk)) for hit in page.hits],
    }


def _result(request: Request, hit: Hit, outline: dict[str, Any] | None) -> dict[str, Any]:
    scene = hit.scene
    originals = (asset.filename for asset in scene.assets.all() if asset.role == Asset.Role.DATA)
    return {
        "rank": hit.rank,
        "scene": scene.pk,
        "title": scene.title,
        "collection": scene.collection.slug,
        "filename": next(originals, ""),
        "score": hit.score,
        "similarity": hit.similarity,
        "reasons": hit.reason,
        "band": hit.band,
        "window": hit.window,
        "geometry": outline,
        "bbox": scene.bbox,
        "datetime": scene.datetime,
        "token": hit.token,
        "links": {
            "scene": link(request, "scene-detail", pk=scene.pk),
            "thumbnail": link(request, "scene-asset", pk=scene.pk, key="thumbnail"),
        },
    }
