import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pystac
import pytest
import rasterio
import xarray as xr
from concerto.errors import InputError
from concerto.products.stac import footprint_of
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.version import CollectionVersionExtension
from pystac.validation import validate_dict
from synthetic_tiles import DATELINE, ORIGIN, RUN_ID, products_in, write_all, write_tiles
from write_catalog import write_catalog

NAME = "made_up"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """All products of a map across the antimeridian, in a place to which they were moved."""
    folder = tmp_path_factory.mktemp("written")
    tiles = write_tiles(folder / "tiles", DATELINE, 8, start="1999-11", months=14)
    write_all(folder, DATELINE, tiles, NAME)
    moved = tmp_path_factory.mktemp("moved") / "map"
    shutil.move(folder, moved)
    return moved


@pytest.fixture
def catalog(made):
    return pystac.Catalog.from_file(made / "catalog/catalog.json")


def test_it_has_a_collection_with_an_item_for_each_year(catalog):
    (collection,) = catalog.get_children()
    assert isinstance(collection, pystac.Collection)
    assert sorted(item.id for item in collection.get_items()) == [f"{NAME}-1999", f"{NAME}-2000"]
    assert set(collection.assets) == {
        "netcdf", "zarr", "annual_netcdf", "annual_zarr", "regions", "regions_table", "status",
    }  # fmt: skip
    for item in collection.get_items():
        assert item.get_collection() is collection
        assert {"gpp_mean", "gpp_sd", "live_biomass_mean"} <= set(item.assets)
    item = collection.get_item(f"{NAME}-1999")
    assert item.properties["start_datetime"] == "1999-11-01T00:00:00Z"
    assert item.properties["end_datetime"] == "1999-12-31T23:59:59Z"


def test_it_is_valid(catalog):
    """By the schemas that pystac brings; those of extensions are not among them."""
    found = [catalog, *(child for root, children, items in catalog.walk() for child in items)]
    found += list(catalog.get_children())
    assert len(found) == 4
    for each in found:
        validate_dict(each.to_dict(), extensions=[])
    broken = found[-1].to_dict()
    del broken["license"]
    with pytest.raises(pystac.STACValidationError):
        validate_dict(broken, extensions=[])


def test_links_are_relative_and_lead_to_files(made):
    files = list((made / "catalog").rglob("*.json"))
    assert len(files) == 4
    for file in files:
        said = json.loads(file.read_text())
        followed = [link["href"] for link in said["links"] if "://" not in link["href"]]
        followed += [asset["href"] for asset in said.get("assets", {}).values()]
        assert followed
        for href in followed:
            assert not Path(href).is_absolute()
            assert (file.parent / href).exists(), href
        assert "self" not in {link["rel"] for link in said["links"]}


def test_assets_open_by_their_links(catalog):
    (collection,) = catalog.get_children()
    for kind, times in (("", 14), ("annual_", 2)):
        opened = [
            xr.open_dataset(collection.assets[f"{kind}netcdf"].get_absolute_href()),
            xr.open_zarr(collection.assets[f"{kind}zarr"].get_absolute_href(), chunks=None),
        ]
        for ds in opened:
            with ds:
                assert ds["gpp_mean"].dims == ("time", "lat", "lon")
                assert ds.sizes["time"] == times
    first, last = collection.extent.temporal.intervals[0]
    assert first == datetime(1999, 11, 1, tzinfo=UTC)
    assert last == datetime(2000, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_layers_are_described_as_they_are(catalog):
    (collection,) = catalog.get_children()
    assets = [asset for item in collection.get_items() for asset in item.assets.values()]
    assert len(assets) == 16
    for asset in [*assets, collection.assets["status"]]:
        assert asset.media_type == pystac.MediaType.COG
        with rasterio.open(asset.get_absolute_href()) as file:
            fields = asset.extra_fields
            assert fields["proj:shape"] == list(file.shape)
            assert fields["proj:transform"] == list(file.transform)[:6]
            assert fields["proj:code"] == f"EPSG:{file.crs.to_epsg()}"
            assert fields["data_type"] == file.dtypes[0]
            assert str(fields["nodata"]) == str(file.nodata).removesuffix(".0")
            assert fields.get("unit") == (file.units[0] or None)
            values = file.read(1, masked=True)
            if "statistics" in fields:
                assert fields["statistics"]["maximum"] == pytest.approx(float(values.max()))
    shown = ProjectionExtension.ext(assets[0])
    assert shown.epsg == 4326
    assert assets[0].extra_fields["statistics"]["minimum"] < 5


def test_it_says_where_it_comes_from(catalog):
    (collection,) = catalog.get_children()
    origins = {link.href: link.title for link in collection.get_links("derived_from")}
    assert "pyrealm 1.0.1" in origins["https://pyrealm.readthedocs.io"]
    licences = {link.title for link in collection.get_links("license")}
    assert "natural_earth_110m: public domain" in licences
    assert collection.license == "other"
    assert CollectionVersionExtension.ext(collection).version == "0.1.0"
    assert len(collection.extra_fields["concerto:configuration_sha256"]) == 64
    assert collection.extra_fields["concerto:run_id"] == RUN_ID


def test_across_the_antimeridian_outlines_are_cut(catalog):
    (collection,) = catalog.get_children()
    assert collection.extent.spatial.bboxes == [[178.0, 62.0, -178.0, 64.0]]
    item = next(collection.get_items())
    assert item.bbox == [178.0, 62.0, -178.0, 64.0]
    assert item.geometry["type"] == "MultiPolygon"
    longitudes = [x for part in item.geometry["coordinates"] for x, _ in part[0]]
    assert (min(longitudes), max(longitudes)) == (-180.0, 180.0)


@pytest.mark.parametrize(
    ("sides", "box", "kind"),
    [
        ((24.0, -34.5, 24.5, 71.5), [24.0, -34.5, 24.5, 71.5], "Polygon"),
        ((-180.0, -90.0, 180.0, 90.0), [-180.0, -90.0, 180.0, 90.0], "Polygon"),
        ((0.0, -10.0, 360.0, 10.0), [-180.0, -10.0, 180.0, 10.0], "Polygon"),
        ((170.0, -1.0, 190.0, 1.0), [170.0, -1.0, -170.0, 1.0], "MultiPolygon"),
        ((190.0, 0.0, 200.0, 1.0), [-170.0, 0.0, -160.0, 1.0], "Polygon"),
    ],
)
def test_boxes_are_as_in_geojson(sides, box, kind):
    found, outline = footprint_of(*sides)
    assert found == box
    assert outline["type"] == kind


def test_the_same_products_give_the_same_catalogue(made, monkeypatch):
    files = {path: path.read_bytes() for path in made.rglob("*.json")}
    monkeypatch.chdir(made)
    write_catalog(NAME, products_in(Path()), Path("catalog"), **ORIGIN)
    assert {path: path.read_bytes() for path in made.rglob("*.json")} == files


def test_without_a_product_there_is_no_catalogue(made, tmp_path):
    shutil.copytree(made, tmp_path / "map")
    (tmp_path / "map/regions.csv").unlink()
    shutil.rmtree(tmp_path / "map/catalog")
    with pytest.raises(InputError, match=r"regions\.csv: table: found nothing"):
        write_catalog(NAME, products_in(tmp_path / "map"), tmp_path / "map/catalog", **ORIGIN)
    assert not [path for path in (tmp_path / "map").iterdir() if "catalog" in path.name]
