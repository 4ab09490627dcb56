"""How to ask for every address of the portal, for the walk in ``tests/test_every_url.py``."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse

from imagery.models import ArchiveFile, ArchiveFolder, Collection, Encoder, IngestJob, Scene
from rsportal.accounts.models import ApiToken, User
from search.models import Concept, Event, Impression, JudgedQuery, JudgedSet, Query, Ranking, RankingRun
from tests.every_url_asks import Ask, Make, api, both, concept_args, page, scene_args, slug_args
from tests.world import SHARED_TEXT, Holding

_TUS = {"Tus-Resumable": "1.0.0"}
OWN_CONCEPT = "made by whoever asks"
"""Name of a concept that the walk makes for the person it asks as."""
_COLLECTION_FORM = {"title": "Taken over", "visibility": "all_users", "license": "", "description": ""}


def autocomplete(app: str, model: str, name: str) -> Make:
    """Return the question the administration asks while somebody types into a field."""
    return page(
        "admin:autocomplete",
        query=lambda h: {"app_label": app, "model_name": model, "field_name": name, "term": h.word},
    )


def encoder_step(step: str) -> Make:
    """Return the question and the order of one step of a change of model."""
    return page("admin:imagery_encoder_step", args=lambda _h: [Encoder.objects.order_by("pk")[0].pk, step], post={})


def scene_asset(key: str) -> Make:
    return api("scene-asset", args=lambda h: [h.scene_id, key])


def event_data(h: Holding) -> dict[str, str]:
    return {"token": h.hit_token, "kind": "dislike"}


def upload_case(collection: str, one: str) -> dict[str, Make]:
    """Return the cases of the two addresses of resumable uploads."""

    def begin(h: Holding) -> list[Ask]:
        metadata = ",".join(
            f"{key} {b64encode(value.encode()).decode()}"
            for key, value in {"filename": "x.png", "collection": h.slug}.items()
        )
        headers = {**_TUS, "Upload-Length": "10", "Upload-Metadata": metadata}
        return [
            Ask(reverse(collection)),
            Ask(reverse(collection), data={"unfinished": "1"}),
            Ask(reverse(collection), "POST", json=True, headers=headers, writes=True),
        ]

    def about(h: Holding) -> list[Ask]:
        path = reverse(one, args=[h.upload_id])
        return [
            Ask(path),
            Ask(path, "HEAD", headers=_TUS),
            Ask(path, "PATCH", json=True, headers={**_TUS, "Upload-Offset": "0"}, writes=True),
            Ask(path, "DELETE", json=True, headers=_TUS, writes=True),
        ]

    return {collection: begin, one: about}


CASES: dict[str, Make] = {
    # accounts
    "login": page("login", post={"username": "alice", "password": "wrong"}, open=True),
    "logout": page("logout", get=False, post={}),
    "signup": page("signup", post={"username": "x"}, open=True),
    "password_change": page("password_change", post={"old_password": "x"}),
    "password_change_done": page("password_change_done"),
    "password_reset": page("password_reset", post={"email": "zanzibar@example.org"}, open=True),
    "password_reset_done": page("password_reset_done", open=True),
    "password_reset_confirm": page("password_reset_confirm", args=lambda _h: ["MQ", "set-password"], open=True),
    "profile": page("profile", post={"email": "not an address"}),
    "token_create": page("token_create", get=False, post={"token-name": "", "token-days": "1"}),
    "token_revoke": page("token_revoke", args=lambda h: [h.token_key], get=False, post={}),
    "set_language": page("set_language", get=False, post={"language": "en"}, open=True),
    # health
    "healthz": page("healthz", open=True),
    "readyz": page("readyz", open=True),
    # search
    "search:home": both(
        page("search:home"),
        page("search:home", query=lambda _h: {"q": SHARED_TEXT}),
        page("search:home", query=lambda h: {"q": SHARED_TEXT, "collection": h.slug}),
        page("search:home", query=lambda h: {"q": SHARED_TEXT, "ranking": str(h.ranking_id)}),
        page("search:home", query=lambda h: {"like": f"scene:{h.scene_id}"}),
        page("search:home", query=lambda h: {"q": SHARED_TEXT, "like": f"box:{h.scene_id}:0,0,64,64*-1"}),
        page("search:home", query=lambda h: {"q": SHARED_TEXT, "like": f"image:{h.picture_id}"}),
        page("search:home", query=lambda h: {"q": SHARED_TEXT, "like": f"concept:{h.concept_id}"}),
    ),
    "search:examples": page("search:examples", get=False, post=lambda h: {"next": f"/?like=image:{h.picture_id}"}),
    "search:example_picture": page("search:example_picture", args=lambda h: [h.picture_id]),
    "search:progress": page("search:progress"),
    "search:open": page("search:open", args=lambda h: [h.hit_token], writes=True),
    "search:event": page("search:event", get=False, post=event_data),
    "search:area": page(
        "search:area", get=False, post={"area": '{"type":"Point","coordinates":[1,2]}', "query": "q=harbour"}
    ),
    "search:part": page(
        "search:part",
        args=lambda h: [h.scene_id],
        query=lambda h: {"x": 0, "y": 0, "width": 8, "height": 8, "t": h.hit_token},
    ),
    "search:history": page("search:history"),
    "search:history_export": page("search:history_export"),
    "search:history_erase": page(
        "search:history_erase", query=lambda h: {"query": h.query_id}, post=lambda h: {"query": h.query_id}
    ),
    "search:learning": page("search:learning", get=False, post={"for_me": "on"}),
    # concepts
    "search:concepts": both(
        page("search:concepts"),
        page("search:concepts", get=False, post=lambda h: {"name": OWN_CONCEPT, "ranking": str(h.ranking_id)}),
        page("search:concepts", get=False, post=lambda h: {"name": OWN_CONCEPT, "like": f"scene:{h.scene_id}"}),
        page(
            "search:concepts",
            get=False,
            post=lambda h: {"into": str(h.concept_id), "like": f"scene:{h.scene_id}*-2"},
        ),
    ),
    "search:concept_new": both(
        page("search:concept_new"),
        page("search:concept_new", query=lambda h: {"ranking": str(h.ranking_id)}),
    ),
    "search:concept": page("search:concept", args=concept_args, post={"name": "taken over"}),
    "search:concept_sharing": page(
        "search:concept_sharing", args=concept_args, get=False, post=lambda h: {"collection": ""}
    ),
    "search:concept_delete": page("search:concept_delete", args=concept_args, post={}),
    "search:concept_picture": page("search:concept_picture", args=lambda h: [h.concept_id, h.picture_id]),
    # catalogue
    "imagery:scene": page("imagery:scene", args=scene_args),
    "imagery:scene_stac": page("imagery:scene_stac", args=scene_args),
    "imagery:collection_stac": page("imagery:collection_stac", args=slug_args),
    "imagery:stac_catalog": page("imagery:stac_catalog"),
    "imagery:scene_delete": page("imagery:scene_delete", args=scene_args, post={}),
    "imagery:thumbnail": page("imagery:thumbnail", args=scene_args),
    "imagery:overview": page("imagery:overview", args=scene_args),
    "imagery:map_tile": page("imagery:map_tile", args=lambda h: [h.scene_id, 0, 0, 0]),
    "imagery:tilejson": page("imagery:tilejson", args=scene_args),
    "imagery:deepzoom": page("imagery:deepzoom", args=lambda h: [h.scene_id, 0, 0, 0]),
    "imagery:places": page("imagery:places", args=scene_args),
    "imagery:original": page("imagery:original", args=lambda h: [h.scene_id, "data"]),
    "imagery:upload": both(
        page("imagery:upload", query=lambda h: {"collection": h.slug}),
        page("imagery:upload", get=False, post=lambda h: {"collection": h.collection_id, "files": ""}),
        page("imagery:upload", get=False, post=lambda h: {"collection": h.slug, "files": ""}),
    ),
    "imagery:upload_plan": page("imagery:upload_plan", get=False, post={}),
    "imagery:upload_remove": page("imagery:upload_remove", args=lambda h: [h.upload_id], get=False, post={}),
    **upload_case("imagery:tus", "imagery:tus_upload"),
    **upload_case("api:upload-list", "api:upload-detail"),
    "imagery:jobs": both(page("imagery:jobs"), page("imagery:jobs", query=lambda h: {"batch": str(h.batch)})),
    "imagery:job_row": page("imagery:job_row", args=lambda h: [h.failed_id]),
    "imagery:job_retry": page("imagery:job_retry", args=lambda h: [h.failed_id], get=False, post={}),
    "imagery:job_cancel": page("imagery:job_cancel", args=lambda h: [h.waiting_id], get=False, post={}),
    "imagery:collections": page("imagery:collections"),
    "imagery:collection": page("imagery:collection", args=slug_args),
    "imagery:collection_create": page("imagery:collection_create", post={"title": ""}),
    "imagery:collection_edit": page("imagery:collection_edit", args=slug_args, post=_COLLECTION_FORM),
    "imagery:collection_delete": page("imagery:collection_delete", args=slug_args, post={}),
    "imagery:member_set": page(
        "imagery:member_set", args=slug_args, get=False, post={"username": "bob", "role": "editor"}
    ),
    "imagery:member_remove": page("imagery:member_remove", args=lambda h: [h.slug, h.owner_id], get=False, post={}),
    # API
    "api:root": api("root"),
    "api:me": api("me"),
    "api:schema": api("schema"),
    "api:docs": api("docs"),
    "api:nowhere": lambda h: [Ask(f"{reverse('api:root')}nowhere/{h.slug}")],
    "api:collection-list": both(
        api("collection-list", post={"title": ""}), api("collection-list", query=lambda h: {"q": h.word})
    ),
    "api:collection-detail": api(
        "collection-detail", args=slug_args, patch={"title": "Taken over"}, put=_COLLECTION_FORM, delete={}
    ),
    "api:scene-list": both(
        api("scene-list"),
        api("scene-list", query=lambda h: {"collection": h.slug}),
        api("scene-list", query=lambda h: {"q": h.word, "platform": f"{h.word}-1"}),
        lambda h: [Ask(reverse("api:scene-list"), "POST", {"collection": h.slug, "file": ""}, writes=True)],
    ),
    "api:scene-detail": api("scene-detail", args=scene_args, patch={"title": "Taken"}, delete={}),
    "api:scene-duplicates": api("scene-duplicates", args=scene_args),
    "api:scene-windows": api("scene-windows", args=scene_args),
    "api:scene-stac": api("scene-stac", args=scene_args),
    "api:collection-stac": api("collection-stac", args=slug_args),
    "api:stac": api("stac"),
    "api:scene-info": api("scene-info", args=scene_args),
    "api:scene-statistics": api("scene-statistics", args=scene_args),
    "api:scene-preview": api("scene-preview", args=scene_args),
    "api:scene-map-tile": api("scene-map-tile", args=lambda h: [h.scene_id, 0, 0, 0]),
    "api:scene-deepzoom": api("scene-deepzoom", args=lambda h: [h.scene_id, 0, 0, 0]),
    "api:scene-tilejson": api("scene-tilejson", args=scene_args),
    "api:scene-asset": both(*(scene_asset(key) for key in ("data", "thumbnail", "overview"))),
    "api:job-list": both(api("job-list"), api("job-list", query=lambda h: {"batch": str(h.batch)})),
    "api:job-detail": api("job-detail", args=lambda h: [h.failed_id]),
    "api:job-retry": api("job-retry", args=lambda h: [h.failed_id], post={}),
    "api:job-cancel": api("job-cancel", args=lambda h: [h.waiting_id], post={}),
    "api:learning": api("learning", put={"for_me": True, "for_all": True}),
    "api:search": both(
        api("search", query=lambda _h: {"text": SHARED_TEXT}, post={"text": SHARED_TEXT}),
        api("search", query=lambda h: {"text": SHARED_TEXT, "collections": h.slug}),
        api("search", query=lambda h: {"ranking": str(h.ranking_id)}),
        api("search", post=lambda h: {"text": SHARED_TEXT, "examples": [{"kind": "scene", "id": str(h.scene_id)}]}),
        api("search", post=lambda h: {"text": SHARED_TEXT, "examples": [{"kind": "concept", "id": str(h.concept_id)}]}),
    ),
    "api:examples": api("examples", post={"kind": "film"}),
    "api:events": api("events", post=event_data, delete=event_data),
    "api:history": api("history"),
    "api:concept-list": both(
        api("concept-list", post=lambda h: {"name": OWN_CONCEPT, "ranking": str(h.ranking_id)}),
        api("concept-list", post=lambda h: {"name": OWN_CONCEPT, "text": "x", "collection": h.slug}),
    ),
    "api:concept-detail": api("concept-detail", args=concept_args, patch={"name": "taken over"}, delete={}),
    # administration
    "admin:index": page("admin:index"),
    "admin:login": page("admin:login"),
    "admin:logout": page("admin:logout", get=False, post={}),
    "admin:password_change": page("admin:password_change"),
    "admin:password_change_done": page("admin:password_change_done"),
    "admin:autocomplete": both(
        autocomplete("imagery", "scene", "collection"),
        autocomplete("imagery", "collectionmember", "user"),
        autocomplete("search", "query", "user"),
        autocomplete("search", "judgedset", "collection"),
        autocomplete("search", "judgedquery", "judged_set"),
    ),
    "admin:imagery_collection_rendering": page(
        "admin:imagery_collection_rendering", args=lambda h: [h.collection_id], post={"stretch": "none", "encode": "1"}
    ),
    "admin:imagery_collection_rendering_picture": page(
        "admin:imagery_collection_rendering_picture",
        args=lambda h: [h.collection_id, h.scene_id],
        query=lambda _h: {"stretch": "auto"},
    ),
    "admin:imagery_collection_rendering_stop": page(
        "admin:imagery_collection_rendering_stop", args=lambda h: [h.collection_id], get=False, post={}
    ),
    "admin:imagery_archivefolder_scan": page(
        "admin:imagery_archivefolder_scan", args=lambda h: [h.folder_id], get=False, post={}
    ),
    "admin:imagery_scene_duplicates": both(
        page("admin:imagery_scene_duplicates"),
        page("admin:imagery_scene_duplicates", query=lambda h: {"collection": h.slug}),
        page("admin:imagery_scene_duplicates", query=lambda h: {"after": f"2100-01-01T00:00:00+00:00,{h.scene_id}"}),
    ),
    "admin:imagery_encoder_register": page("admin:imagery_encoder_register", post={"name": "", "kind": "transformers"}),
    "admin:imagery_encoder_step": both(
        *(
            encoder_step(step)
            for step in ("fill", "pause", "resume", "retry", "cancel", "rollback", "retire", "partial")
        )
    ),
    "admin:search_compare": page(
        "admin:search_compare",
        query=lambda h: {"second": h.word},
        post=lambda h: {"first": "x", "second": "y", "queries": SHARED_TEXT, "collection": h.slug},
    ),
    "admin:search_encoder_stages": page(
        "admin:search_encoder_stages", args=lambda _h: [1], post={"ranking": '{"diffuse": {"on": false}}'}
    ),
    "admin:search_feedback_effect": page("admin:search_feedback_effect", query=lambda _h: {"q": SHARED_TEXT}),
    "admin:search_feedback_exclude": both(
        page(
            "admin:search_feedback_exclude", query=lambda h: {"scene": str(h.scene_id)}, post={"reason": "taken over"}
        ),
        page("admin:search_feedback_exclude", query=lambda h: {"user": h.owner_id}, post={"reason": "taken over"}),
    ),
    "admin:search_judged_start": page("admin:search_judged_start", args=lambda h: [h.judged_set_id]),
    "admin:search_judged_judge": page(
        "admin:search_judged_judge",
        args=lambda h: [h.judged_set_id, h.judged_query_id],
        post=lambda h: {"scene": str(h.scene_id), "grade": "1"},
    ),
    "admin:search_judged_import": page(
        "admin:search_judged_import",
        args=lambda h: [h.judged_set_id],
        post=lambda h: {"lines": "taken over", "docids": "uuid", "class_property": "class"},
    ),
    "admin:search_judged_export": both(
        page("admin:search_judged_export", args=lambda h: [h.judged_set_id, "topics"]),
        page("admin:search_judged_export", args=lambda h: [h.judged_set_id, "qrels"]),
        page("admin:search_judged_export", args=lambda h: [h.judged_set_id, "everything"]),
    ),
    "admin:search_judged_runs": both(
        page("admin:search_judged_runs", args=lambda h: [h.judged_set_id], post={"configurations": "nowhere"}),
        page("admin:search_judged_runs", args=lambda h: [h.judged_set_id], query=lambda h: {"run": h.run_id}),
    ),
    "admin:search_trial_results": page("admin:search_trial_results", args=lambda _h: [1]),
    "admin:search_trial_start": page("admin:search_trial_start", args=lambda _h: [1], post={}),
    "admin:search_trial_end": page("admin:search_trial_end", args=lambda _h: [1], post={}),
    "admin:jsi18n": page("admin:jsi18n"),
    "admin:app_list": both(
        page("admin:app_list", args=lambda _h: ["imagery"]), page("admin:app_list", args=lambda _h: ["search"])
    ),
}

_ADMIN_KEYS: dict[type[Model], Callable[[Holding], Any]] = {
    ArchiveFolder: lambda h: h.folder_id,
    ArchiveFile: lambda h: h.archive_file_id,
    Collection: lambda h: h.collection_id,
    Scene: lambda h: h.scene_id,
    IngestJob: lambda h: h.failed_id,
    Query: lambda h: h.query_id,
    Ranking: lambda h: h.ranking_id,
    Impression: lambda h: h.impression_id,
    Event: lambda h: h.event_id,
    JudgedSet: lambda h: h.judged_set_id,
    JudgedQuery: lambda h: h.judged_query_id,
    RankingRun: lambda h: h.run_id,
    Concept: lambda h: h.concept_id,
    User: lambda h: h.owner_id,
    ApiToken: lambda h: h.token_key,
}
"""Key of a person's row in each model of the administration; models without private rows are asked with 1."""


def admin_case(name: str) -> Make | None:
    """Return the case of a page of a model in the administration, or None for another address."""
    if name == "admin:auth_user_password_change":
        return page(name, args=lambda h: [h.owner_id])
    for model in admin.site._registry:
        prefix = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
        if name.startswith(prefix):
            return _model_case(name, name.removeprefix(prefix), _ADMIN_KEYS.get(model, lambda _h: 1))
    return None


def _model_case(name: str, action: str, key: Callable[[Holding], Any]) -> Make | None:
    def choose(what: str, **more: str) -> Make:
        return page(name, get=False, post=lambda h: {"action": what, "_selected_action": str(key(h)), **more})

    if action == "changelist":
        search = page(name, query=lambda h: {"q": h.word})
        return both(page(name), search, choose("delete_selected", post="yes"), choose("retry"), choose("cancel"))
    if action == "add":
        return page(name, post={"title": ""})
    bodies = {"change": _COLLECTION_FORM, "delete": {"post": "yes"}, "history": None}
    if action not in bodies:
        return None
    make = page(name, args=lambda h: [key(h)], post=bodies[action])
    if action != "change":
        return make
    # Django's older address of the same page has no name; it redirects here.
    return both(make, lambda h: [Ask(ask.path.removesuffix("change/")) for ask in make(h)[:1]])
