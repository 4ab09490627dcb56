"""How questions, answers and feedback travel."""

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from imagery.api.fields import BBoxField, OutlineField, WindowField
from search.api.facet_serializers import FacetsSerializer
from search.api.fields import AreaField, BoxField, OnUnlessSaidField, names_field
from search.examples_given import ExampleKind
from search.models import Event, Query
from search.understanding import ChipKind

MAX_RESULTS = 100
DEFAULT_RESULTS = 24
MAX_COLLECTIONS = 1_000


class ClauseSerializer(serializers.Serializer):
    """A part of a query, in place of the parts the portal would find in the text."""

    text = serializers.CharField(
        help_text='Words to look for, or where things are: `"ships" left of "a bridge"` (left of, right of, above, '
        "below, near, next to, between ... and, surrounded by)."
    )
    weight = serializers.FloatField(
        required=False, default=1.0, help_text="0.1 to 5; -0.1 to -5: must not be there; 0: left out."
    )


class ExampleSerializer(serializers.Serializer):
    """Something the results should be like, or (weight below 0) not like."""

    kind = serializers.ChoiceField(choices=[kind.value for kind in ExampleKind])
    id = serializers.UUIDField(help_text="Of the scene (`scene`, `box`), the picture, the sketch or the concept.")
    window = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        allow_null=True,
        min_length=4,
        max_length=4,
        help_text="For `box`: x, y, width, height in pixels of the scene.",
    )
    weight = serializers.FloatField(required=False, default=1.0, help_text="0.1 to 5; -0.1 to -5: not like this.")


class ClauseShownSerializer(ClauseSerializer):
    """A part of the query as it was understood. Sent back as `clauses`, it is understood so again."""

    kind = serializers.ChoiceField(choices=[kind.value for kind in ChipKind])
    counts = serializers.BooleanField(help_text="Whether it had a say in the order by itself, beside the whole text.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Words and filters",
            value={
                "text": "an airport with many planes",
                "collections": ["demo"],
                "start": "2020-01-01",
                "end": "2020-12-31",
                "bbox": "-76.4,36,-75,37.2",
                "cloud_cover_max": 20,
                "limit": 10,
            },
            request_only=True,
        )
    ]
)
class SearchRequestSerializer(serializers.Serializer):
    """A question, or (with ``ranking`` and ``page``) a further page of an answer."""

    text = serializers.CharField(required=False, allow_blank=True, help_text="What the picture shows, in words.")
    translation = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Your own wording, to search for in place of `text` and of the translation the portal would make.",
    )
    clauses = ClauseSerializer(
        many=True,
        required=False,
        help_text="The parts of the query and their weights, at most 8; left out, they are found in the text.",
    )
    examples = ExampleSerializer(
        many=True,
        required=False,
        help_text="What the results should be like, or not like, at most 12; with one, `text` may be empty.",
    )
    history = OnUnlessSaidField(
        required=False, default=True, help_text="False: nothing that was learnt from feedback has a say in the order."
    )
    collections = serializers.ListField(
        child=serializers.CharField(allow_blank=True),
        required=False,
        max_length=MAX_COLLECTIONS,
        help_text="Slugs; empty: all you may see.",
    )
    start = serializers.CharField(
        required=False, allow_blank=True, help_text="First day of acquisition (UTC), 2020-01-01."
    )
    end = serializers.CharField(required=False, allow_blank=True, help_text="Last day of acquisition (UTC).")
    bbox = BoxField(
        required=False,
        help_text="west,south,east,north in degrees WGS 84; west > east crosses the antimeridian.",
    )
    intersects = AreaField(
        required=False,
        help_text="GeoJSON (a Polygon or MultiPolygon, a Feature or FeatureCollection of such; longitude, latitude in "
        "degrees WGS 84), as an object or as a text: footprints that have a point in common with it. More than 150 "
        "points are simplified; your history tells what was asked.",
    )
    platform = names_field("Names of platforms, such as sentinel-2a; one of them is enough.")
    instruments = names_field("Names of instruments, such as msi; one of them is enough.")
    gsd_min = serializers.FloatField(required=False, help_text="Smallest ground sample distance in metres.")
    gsd_max = serializers.FloatField(required=False, help_text="Largest ground sample distance in metres.")
    cloud_cover_max = serializers.FloatField(required=False, help_text="Largest cloud cover in per cent.")
    added_after = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Only scenes added to the portal after this moment (2024-05-31T14:05:00Z) or day (UTC).",
    )
    license = names_field("Licences of collections, such as CC-BY-4.0; none stands for those that state none.")
    facets = serializers.BooleanField(
        required=False, default=False, help_text="Also tell how many scenes have each value of the filters."
    )
    limit = serializers.IntegerField(
        required=False, default=DEFAULT_RESULTS, min_value=1, max_value=MAX_RESULTS, help_text="Results on a page."
    )
    ranking = serializers.UUIDField(required=False, help_text="An earlier answer, to read on in; words are not needed.")
    page = serializers.IntegerField(required=False, default=1, min_value=1, max_value=1000, help_text="From 1.")


class TookSerializer(serializers.Serializer):
    """Where the time went, in milliseconds."""

    encode = serializers.FloatField()
    retrieve = serializers.FloatField()
    rank = serializers.FloatField()
    total = serializers.FloatField()


class ResultLinksSerializer(serializers.Serializer):
    """Where to go from a result."""

    scene = serializers.URLField()
    thumbnail = serializers.URLField()


class ResultSerializer(serializers.Serializer):
    """One scene of the answer."""

    rank = serializers.IntegerField(min_value=1, help_text="1 is the best.")
    scene = serializers.UUIDField()
    title = serializers.CharField()
    collection = serializers.CharField(help_text="Slug.")
    filename = serializers.CharField(allow_blank=True, help_text="Name of the original file.")
    score = serializers.FloatField(help_text="What the ranker ordered by; higher is better.")
    similarity = serializers.FloatField(help_text="Cosine of the words' vector and the picture's, -1 to 1.")
    reasons = serializers.DictField(
        help_text="What each ranking stage said: its own figures by its name, and under `STAGE.places` the places it "
        "moved the result up (down: negative). docs/ranking.md lists them. `feedback` has `share`, `level` (session, "
        "own, everybody) and, of what you did yourself, `like`: up to three of your own choices that the result "
        "resembles, each with `scene`, `deed` and `query`."
    )
    band = serializers.ChoiceField(
        choices=["likely", "possible", "unlikely"], help_text="How much the score means, calibrated per encoder."
    )
    window = WindowField()
    geometry = OutlineField()
    bbox = BBoxField()
    datetime = serializers.DateTimeField(allow_null=True, help_text="When it was taken.")
    token = serializers.CharField(help_text="Send it to /events/ to tell what you did with this result.")
    links = ResultLinksSerializer()


class SearchAnswerSerializer(serializers.Serializer):
    """A page of the answer to a question."""

    query = serializers.CharField(allow_blank=True)
    translation = serializers.CharField(
        allow_null=True, help_text="What was searched for in place of the query; null when that is the query itself."
    )
    untranslated = serializers.ListField(
        child=serializers.CharField(), help_text="Words of the query that were left out because they are not known."
    )
    clauses = ClauseShownSerializer(many=True, help_text="How the words were understood.")
    examples = ExampleSerializer(many=True, help_text="The examples of the query.")
    history = serializers.BooleanField(help_text="False: ranked without what was learnt from feedback.")
    pieces = serializers.ListField(
        child=serializers.CharField(),
        help_text="What a text longer than the encoder reads at once was split into; empty when it was read at once.",
    )
    encoder = serializers.CharField(help_text="The model that turned words and pictures into vectors.")
    took_ms = TookSerializer(help_text="Of the search itself; further pages repeat it.")
    searched = serializers.IntegerField(help_text="Scenes that were looked at.")
    estimated = serializers.BooleanField(help_text="Whether `searched` is an estimate: above 10,000 scenes it may be.")
    total = serializers.IntegerField(help_text="Scenes in the answer, over all pages.")
    ranking = serializers.UUIDField(help_text="This answer; its pages stay the same.")
    page = serializers.IntegerField()
    pages = serializers.IntegerField()
    next = serializers.URLField(allow_null=True, help_text="The next page; null on the last one.")
    facets = FacetsSerializer(
        allow_null=True, help_text="What was asked for by `facets` together with `text`; null otherwise."
    )
    results = ResultSerializer(many=True)


class EventNamedSerializer(serializers.Serializer):
    """Which event of a result is meant."""

    token = serializers.CharField(max_length=2000, help_text="The `token` of the result.")
    kind = serializers.ChoiceField(choices=Event.Kind.choices)


class EventRequestSerializer(EventNamedSerializer):
    """What you did with a result."""

    seconds = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=86_400,
        help_text="With the kind dwell: how long the scene was looked at. It counts up to the time since you told that "
        "you opened it (click).",
    )


class EventSerializer(serializers.Serializer):
    """What is now in the log."""

    kind = serializers.ChoiceField(choices=Event.Kind.choices)
    seconds = serializers.IntegerField(
        allow_null=True, help_text="Of the kind dwell: the longest look; null otherwise."
    )
    created_at = serializers.DateTimeField(help_text="When it was first told; telling it again changes nothing.")


class HistoryEventSerializer(serializers.Serializer):
    """Something you did with a result."""

    kind = serializers.ChoiceField(choices=Event.Kind.choices)
    seconds = serializers.IntegerField(allow_null=True, help_text="Of the kind dwell; null otherwise.")
    created_at = serializers.DateTimeField()


class HistoryImpressionSerializer(serializers.Serializer):
    """A result that was shown to you."""

    scene = serializers.UUIDField(source="scene_id")
    rank = serializers.IntegerField()
    shown_at = serializers.DateTimeField()
    events = HistoryEventSerializer(many=True)


class HistoryRankingSerializer(serializers.Serializer):
    """An answer you got."""

    id = serializers.UUIDField()
    encoder = serializers.CharField(source="encoder.name")
    ranker = serializers.CharField()
    searched = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    impressions = HistoryImpressionSerializer(many=True)


class HistoryFiltersSerializer(serializers.Serializer):
    """The filters that were set."""

    collections = serializers.ListField(child=serializers.CharField(), required=False)
    start = serializers.DateField(required=False)
    end = serializers.DateField(required=False)
    bbox = BBoxField(required=False)
    intersects = serializers.JSONField(required=False)
    platform = serializers.ListField(child=serializers.CharField(), required=False)
    instruments = serializers.ListField(child=serializers.CharField(), required=False)
    gsd_min = serializers.FloatField(required=False)
    gsd_max = serializers.FloatField(required=False)
    cloud_cover_max = serializers.FloatField(required=False)
    added_after = serializers.CharField(required=False)
    license = serializers.ListField(child=serializers.CharField(), required=False)


class HistoryQuerySerializer(serializers.Serializer):
    """A question you asked, and what came of it."""

    id = serializers.IntegerField()
    text = serializers.CharField(allow_blank=True)
    translation = serializers.CharField(
        allow_blank=True, help_text="What was searched for in place of the text; empty when that is the text itself."
    )
    examples = ExampleSerializer(many=True)
    without_history = serializers.BooleanField(help_text="You wanted it ranked without what was learnt from feedback.")
    untranslated = serializers.ListField(child=serializers.CharField(), help_text="Words that were not known.")
    filters = HistoryFiltersSerializer()
    channel = serializers.ChoiceField(choices=Query.Channel.choices)
    created_at = serializers.DateTimeField()
    rankings = HistoryRankingSerializer(many=True)
