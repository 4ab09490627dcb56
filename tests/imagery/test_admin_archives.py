"""Archive folders and possible duplicates in the administration."""

import pytest
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from imagery.models import ArchiveFile, ArchiveFolder, Asset, Scene
from imagery.services.archive_scan import archive_folder_scan
from tests import images
from tests.factories import axis, make_collection, make_scene, make_user
from tests.staff import make_curator

pytestmark = pytest.mark.django_db
LIST, ADD = "admin:imagery_archivefolder_changelist", "admin:imagery_archivefolder_add"
CHANGE, SCAN = "admin:imagery_archivefolder_change", "admin:imagery_archivefolder_scan"
FILES, TWINS = "admin:imagery_archivefile_changelist", "admin:imagery_scene_duplicates"
HASH = 0x0123_4567_89AB_CDEF


@pytest.fixture
def place(tmp_path, settings):
    settings.ARCHIVE_ROOTS, settings.VAR_DIR = [str(tmp_path)], tmp_path / "var"
    settings.ARCHIVE_SETTLE_SECONDS = 0
    folder = tmp_path / "archive"
    images.draw(folder / "a.png", seed=1)
    (folder / "broken.tif").write_text("no picture")
    return folder


@pytest.fixture
def curator():
    return make_curator("carla")


@pytest.fixture
def folder(curator, place):
    """A folder of the curator's collection, scanned once."""
    row = ArchiveFolder.objects.create(collection=make_collection("mine", owner=curator), path=str(place))
    archive_folder_scan(folder_id=row.pk)
    row.refresh_from_db()
    return row


def tasks():
    return [row.func() for row in OrmQ.objects.order_by("pk")]


def test_an_administrator_registers_a_folder_below_the_roots_only(client, place):
    root = make_user("root", superuser=True)
    collection = make_collection("mine", owner=root)
    client.force_login(root)
    form = {"collection": collection.pk, "path": "/etc", "recursive": "on", "every_hours": 24, "active": "on"}
    refused = client.post(reverse(ADD), form, follow=True).content.decode()
    assert "outside the archive roots" in refused and not ArchiveFolder.objects.exists()
    client.post(reverse(ADD), {**form, "path": f"{place}/../archive/"}, follow=True)
    made = ArchiveFolder.objects.get()
    assert (made.path, made.created_by, made.every_hours) == (str(place), root, 24)
    client.post(reverse(CHANGE, args=[made.pk]), {"every_hours": 2, "path": "/etc"}, follow=True)
    made.refresh_from_db()
    assert (made.every_hours, made.recursive, made.path) == (2, False, str(place))


def test_a_curator_sees_and_scans_but_does_not_register(client, curator, folder):
    client.force_login(curator)
    assert client.get(reverse(ADD)).status_code == 403
    page = client.get(reverse(CHANGE, args=[folder.pk])).content.decode()
    assert "new, taken in: 1" in page and "broken.tif" in page and "Scan now" in page
    assert 'name="path"' not in page and 'name="every_hours"' not in page
    client.post(reverse(SCAN, args=[folder.pk]))
    assert "imagery.tasks_archive.scan" in tasks()
    assert client.get(reverse(SCAN, args=[folder.pk])).status_code == 405


def test_folders_of_others_do_not_exist(client, folder):
    client.force_login(make_curator("other"))
    assert folder.path not in client.get(reverse(LIST)).content.decode()
    assert client.get(reverse(CHANGE, args=[folder.pk]), follow=False).status_code == 302
    OrmQ.objects.all().delete()
    assert client.post(reverse(SCAN, args=[folder.pk])).status_code == 404
    assert "broken.tif" not in client.get(reverse(FILES)).content.decode()
    chosen = {"action": "take_again", "_selected_action": [file.pk for file in folder.files.all()]}
    client.post(reverse(FILES), chosen)
    assert folder.files.count() == 2 and tasks() == []


def test_viewers_of_a_collection_do_not_see_the_server_s_folders(client, folder):
    viewer = make_curator("viewer")
    folder.collection.visibility = "all_users"
    folder.collection.save()
    client.force_login(viewer)
    assert folder.path not in client.get(reverse(LIST)).content.decode()


def test_a_held_scan_asks_and_takes_the_answer(client, curator, folder, place):
    (place / "a.png").unlink()
    archive_folder_scan(folder_id=folder.pk)
    client.force_login(curator)
    page = client.get(reverse(CHANGE, args=[folder.pk])).content.decode()
    assert "1 of the 1 files" in page and "really gone" in page
    OrmQ.objects.all().delete()
    client.post(reverse(SCAN, args=[folder.pk]), {"accept_missing": "1"})
    assert OrmQ.objects.get().task["args"] == (folder.pk, True)


def test_files_are_listed_by_state_and_taken_again(client, curator, folder, place):
    client.force_login(curator)
    page = client.get(reverse(FILES), {"state__in": "changed,missing,refused"}).content.decode()
    assert "broken.tif" in page and "a.png" not in page
    chosen = {"action": "take_again", "_selected_action": [ArchiveFile.objects.get(path="broken.tif").pk]}
    told = client.post(reverse(FILES), chosen, follow=True).content.decode()
    assert "takes 1 files as new" in told and list(folder.files.values_list("path", flat=True)) == ["a.png"]


def test_scenes_are_filtered_by_the_check_of_their_files(client, curator):
    collection = make_collection(owner=curator)
    good, bad = make_scene(collection, title="Good one"), make_scene(collection, title="Bad one")
    Asset.objects.filter(scene=bad).update(fixity="changed", verified_at=timezone.now())
    Asset.objects.filter(scene=good).update(fixity="good", verified_at=timezone.now())
    client.force_login(curator)
    page = client.get(reverse("admin:imagery_scene_changelist"), {"fixity": "changed"}).content.decode()
    assert "Bad one" in page and "Good one" not in page


def test_possible_duplicates_are_listed_once_and_only_what_one_may_see(client, curator):
    mine = make_collection("mine", owner=curator)
    for number in range(3):
        make_scene(mine, title=f"Twin {number}", perceptual_hash=HASH)
    make_scene(mine, title="Lonely", perceptual_hash=~HASH)
    make_scene(mine, title="Chance", perceptual_hash=HASH, vector=axis(1))
    make_scene(make_collection("hidden"), title="Hidden twin", perceptual_hash=HASH)
    client.force_login(curator)
    page = client.get(reverse(TWINS)).content.decode()
    assert page.count("<h2>Twin 2</h2>") == 1 and page.count("<h2>Twin 1</h2>") == 1 and "<h2>Twin 0</h2>" not in page
    assert not any(word in page for word in ("Hidden", "Lonely", "Chance"))
    assert client.get(reverse(TWINS), {"after": "rubbish"}).status_code == 200


def test_the_list_goes_on_where_it_stopped(client, curator, monkeypatch):
    monkeypatch.setattr("imagery.selectors_duplicates._TOGETHER", 2)
    mine = make_collection("mine", owner=curator)
    for number in range(6):
        make_scene(mine, title=f"Twin {number}", perceptual_hash=HASH)
    from imagery.selectors_duplicates import duplicates_page

    page, seen, turns = None, [], 0
    while page is None or page.after:
        page = duplicates_page(curator, after=page.after if page else "", seconds=0)
        seen += [group.scene.title for group in page.groups]
        turns += 1
    assert seen == [f"Twin {number}" for number in (5, 4, 3, 2, 1)] and turns == 3


def test_the_scene_page_and_the_api_show_the_same(client, curator):
    mine = make_collection("mine", owner=curator)
    one = make_scene(mine, title="One", perceptual_hash=HASH)
    two = make_scene(mine, title="Two", perceptual_hash=HASH ^ 1)
    hidden = make_scene(make_collection(), title="Hidden twin", perceptual_hash=HASH)
    Asset.objects.filter(scene=one, role="data").update(fixity="good", verified_at=timezone.now())
    client.force_login(curator)
    page = client.get(reverse("imagery:scene", args=[one.pk])).content.decode()
    assert "Perhaps the same" in page and "1 of 64 bits differs, cosine 1.00" in page and "Hidden" not in page
    assert "unchanged" in page
    told = client.get(reverse("api:scene-duplicates", args=[one.pk])).json()
    assert told["scene"] == str(one.pk)
    (twin,) = told["duplicates"]
    assert (twin["scene"], twin["kind"], twin["distance"]) == (str(two.pk), "pixels", 1)
    assert client.get(reverse("api:scene-duplicates", args=[hidden.pk])).status_code == 404
    Asset.objects.filter(scene=one, role="data").update(fixity="changed")
    page = client.get(reverse("imagery:scene", args=[one.pk])).content.decode()
    assert "changed since it was added" in page


def test_old_scenes_get_a_hash_from_their_full_view(curator, media_folder):
    from imagery.tasks_archive import scene_hashes_missing

    mine = make_collection(owner=curator)
    with_files, lost = make_scene(mine, files=True), make_scene(mine, files=True)
    (media_folder / lost.assets.get(key="overview").path).unlink()
    assert scene_hashes_missing() == 1
    assert dict(Scene.objects.values_list("pk", "perceptual_hash"))[lost.pk] is None
    with_files.refresh_from_db()
    assert with_files.perceptual_hash not in (None, 0)
