"""Virtual rasters: read where the operator allows, and never a door to anything else on the machine or the network."""

import os
import shutil

import numpy as np
import pytest
import rasterio

from imagery.readers import UnreadableImage, open_scene
from imagery.services.ingest import SourceFile, source_ingest
from imagery.services.sources import sources_find
from imagery.validation import file_check
from rsportal.errors import InvalidInput
from tests import images

SRS = f"<SRS>{images.UTM18}</SRS><GeoTransform>435730, 10, 0, 4179460, 0, -10</GeoTransform>"


def source(name, band=1, *, relative=1, kind="SimpleSource", more=""):
    return (
        f'<{kind}><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand>{more}</{kind}>"
    )


def vrt(path, sources, *, head=SRS, dataset="", band=""):
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{number}"{band}>{each}</VRTRasterBand>'
        for number, each in enumerate(sources, start=1)
    )
    path.write_text(f'<VRTDataset rasterXSize="64" rasterYSize="48"{dataset}>{head}{bands}</VRTDataset>')
    return path


@pytest.fixture
def root(tmp_path, settings):
    folder = tmp_path / "allowed"
    folder.mkdir()
    settings.VRT_ROOTS = [str(folder)]
    images.geotiff(folder / "a.tif")
    images.geotiff(tmp_path / "secret.tif", images.deep_ramp(1).astype(np.uint8))
    return folder


def test_a_vrt_in_an_allowed_folder_is_read(root):
    path = vrt(root / "mosaic.vrt", [source("a.tif", band) for band in (1, 2, 3)])
    with open_scene({"data": path}) as reader, open_scene({"data": root / "a.tif"}) as plain:
        assert reader.format == "vrt" and reader.footprint == plain.footprint
        assert np.array_equal(reader.read((3, 4, 30, 20)).array, plain.read((3, 4, 30, 20)).array)


def test_vrts_nest_inside_the_folder(root):
    (root / "below").mkdir()
    vrt(root / "below" / "inner.vrt", [source("../a.tif", band) for band in (1, 2, 3)])
    path = vrt(root / "outer.vrt", [source("below/inner.vrt", band) for band in (3, 2, 1)])
    with open_scene({"data": path}) as reader, open_scene({"data": root / "a.tif"}) as plain:
        assert np.array_equal(reader.read().array, plain.read().array[::-1])


def test_without_allowed_folders_no_vrt_is_read(root, settings):
    path = vrt(root / "m.vrt", [source("a.tif")])
    settings.VRT_ROOTS = []
    with pytest.raises(UnreadableImage, match=r"m\.vrt is a VRT that is not read: .*RSPORTAL_VRT_ROOTS"):
        open_scene({"data": path})


def outside(root):
    return shutil.move(vrt(root / "m.vrt", [source("allowed/a.tif")]), root.parent / "m.vrt")


def escape_up(root):
    return vrt(root / "m.vrt", [source("../secret.tif")])


def escape_absolute(root):
    return vrt(root / "m.vrt", [source(root.parent / "secret.tif", relative=0)])


def escape_by_link(root):
    os.symlink(root.parent / "secret.tif", root / "link.tif")
    return vrt(root / "m.vrt", [source("link.tif")])


def escape_by_link_of_the_vrt(root):
    os.symlink(outside(root), root / "link.vrt")
    return root / "link.vrt"


def escape_nested(root):
    vrt(root / "inner.vrt", [source("../secret.tif")])
    return vrt(root / "m.vrt", [source("inner.vrt")])


def escape_in_an_overview(root):
    named = '<SourceFilename relativeToVRT="1">../secret.tif</SourceFilename>'
    more = f"<Overview>{named}<SourceBand>1</SourceBand></Overview>"
    return vrt(root / "m.vrt", [source("a.tif") + more])


def endless(root):
    return vrt(root / "m.vrt", [source("m.vrt")])


def network(root):
    return vrt(root / "m.vrt", [source("/vsicurl/http://127.0.0.1/a.tif", relative=0)])


def archive(root):
    return vrt(root / "m.vrt", [source("/vsizip/a.zip/a.tif", relative=0)])


def address(root):
    return vrt(root / "m.vrt", [source("http://127.0.0.1/a.tif", relative=0)])


def driver_prefix(root):
    return vrt(root / "m.vrt", [source("GTIFF_DIR:1:a.tif", relative=0)])


def inline(root):
    return vrt(root / "m.vrt", [source("&lt;VRTDataset/&gt;", relative=0)])


def relative_to_nowhere(root):
    return vrt(root / "m.vrt", [source("a.tif", relative=0)])


def gone(root):
    return vrt(root / "m.vrt", [source("gone.tif")])


def no_raster(root):
    (root / "notes.txt").write_text("words")
    return vrt(root / "m.vrt", [source("notes.txt")])


def python_function(root):
    return vrt(root / "m.vrt", [source("a.tif")], band=' subClass="VRTDerivedRasterBand"')


def function_element(root):
    code = "<PixelFunctionLanguage>Python</PixelFunctionLanguage>"
    return vrt(root / "m.vrt", [code + source("a.tif")])


def warped(root):
    return vrt(root / "m.vrt", [source("a.tif")], dataset=' subClass="VRTWarpedDataset"')


def raw_band(root):
    return vrt(root / "m.vrt", ["<ImageOffset>0</ImageOffset>" + source("a.tif")], band=' subClass="VRTRawRasterBand"')


def open_options(root):
    return vrt(root / "m.vrt", [source("a.tif", more='<OpenOptions><OOI key="a">b</OOI></OpenOptions>')])


def geolocation(root):
    return vrt(root / "m.vrt", [source("a.tif")], head='<Metadata domain="GEOLOCATION"/>')


def entities(root):
    path = vrt(root / "m.vrt", [source("&e;")])
    path.write_text(f"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e 'a.tif'>]>{path.read_text()}")
    return path


def source_with_other_overviews(root):
    with rasterio.open(root / "a.tif", "r+") as target:
        target.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(root.parent / "secret.tif"))
    return vrt(root / "m.vrt", [source("a.tif")])


def source_with_a_mask_of_its_own(root):
    vrt(root / "a.tif.msk", [source(root.parent / "secret.tif", relative=0)])
    return vrt(root / "m.vrt", [source("a.tif")])


def damaged(root):
    path = vrt(root / "m.vrt", [source("a.tif")])
    path.write_text(path.read_text()[:-20])
    return path


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (outside, "does not lie in a folder"),
        (escape_up, "secret.tif"),
        (escape_absolute, "secret.tif"),
        (escape_by_link, "link.tif"),
        (escape_by_link_of_the_vrt, "does not lie in a folder"),
        (escape_nested, "secret.tif"),
        (escape_in_an_overview, "secret.tif"),
        (endless, "levels"),
        (network, "/vsicurl/"),
        (archive, "/vsizip/"),
        (address, "http://"),
        (driver_prefix, "GTIFF_DIR"),
        (inline, "no file of this machine"),
        (relative_to_nowhere, "a.tif"),
        (gone, "gone.tif"),
        (no_raster, "notes.txt"),
        (python_function, "VRTDerivedRasterBand"),
        (function_element, "PixelFunctionLanguage"),
        (warped, "VRTWarpedDataset"),
        (raw_band, "not allowed"),
        (open_options, "OpenOptions"),
        (geolocation, "GEOLOCATION"),
        (entities, "an XML file"),
        (source_with_other_overviews, "a.tif names another file"),
        (source_with_a_mask_of_its_own, "a.tif.msk"),
        (damaged, "damaged"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_vrt_leads_nowhere_else(root, make, word):
    path = make(root)
    with pytest.raises(UnreadableImage) as refused:
        open_scene({"data": path})
    assert word in str(refused.value) and str(root.parent) not in str(refused.value).replace("/vsicurl", "")


def test_a_copied_or_uploaded_vrt_is_refused(root):
    path = vrt(root / "m.vrt", [source("a.tif")])
    assert file_check(path, in_place=True).width == 64
    with pytest.raises(InvalidInput, match="read in place"):
        file_check(path)


@pytest.mark.django_db
def test_folders_give_their_vrts_where_these_are_allowed(root, collection, owner, settings):
    vrt(root / "m.vrt", [source("a.tif", band) for band in (1, 2, 3)])
    assert [scene.name for scene in sources_find([root], recursive=False)] == ["a", "m"]
    job = source_ingest(files=[SourceFile(root / "m.vrt", "m.vrt")], collection=collection, user=owner, copy=False)
    assert job.state == "queued"
    settings.VRT_ROOTS = []
    assert [scene.name for scene in sources_find([root], recursive=False)] == ["a"]
