"""Raw numbers to values: quality bits by the products' own tables, fill, units, errors, counts.

Bits of MODIS: LAADS DAAC file specifications MOD15A2H, MYD11A2 (v61) and MCD64A1, and the MODIS
Vegetation Index User's Guide for collection 6.1; classes of Sentinel-2: Sen2Cor's scene map.
"""

import numpy as np
import pytest
from concerto.errors import InputError
from concerto.prepare.decode import EXACT, Band, Counts, bands_of, decode, quality_mask
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

FILE = "MOD15A2H.tif"
LAI = {
    "band": "Lai_500m",
    "units": "1",
    "scale": 0.1,
    "valid": [0, 100],
    "quality": [
        {"band": "FparLai_QC", "bits": [0, 0], "keep": [0], "meaning": "main algorithm"},
        {"band": "FparLai_QC", "bits": [2, 2], "keep": [0], "meaning": "detectors working"},
        {"band": "FparLai_QC", "bits": [3, 4], "keep": [0, 3], "meaning": "no clouds"},
        {"band": "FparLai_QC", "bits": [5, 7], "keep": [0, 1], "meaning": "radiative transfer"},
    ],
    "uncertainty": {"band": "LaiStdDev_500m", "scale": 0.1, "valid": [0, 100], "minimum": 0.1},
}
VI = [
    {"band": "VI_Quality", "bits": [0, 1], "keep": [0, 1], "meaning": "produced"},
    {"band": "VI_Quality", "bits": [2, 5], "keep": [0, 1, 2, 4], "meaning": "useful"},
    {"band": "VI_Quality", "bits": [6, 7], "keep": [0, 1, 2], "meaning": "little aerosol"},
    {"band": "VI_Quality", "bits": [8, 8], "keep": [0], "meaning": "no cloud beside"},
    {"band": "VI_Quality", "bits": [10, 10], "keep": [0], "meaning": "no mixed clouds"},
    {"band": "VI_Quality", "bits": [14, 14], "keep": [0], "meaning": "no snow or ice"},
    {"band": "VI_Quality", "bits": [15, 15], "keep": [0], "meaning": "no shadow"},
]
LST = {
    "band": "LST_Day_1km",
    "units": "K",
    "scale": 0.02,
    "valid": [7500, 65535],
    "quality": [
        {"band": "QC_Day", "bits": [0, 1], "keep": [0, 1], "meaning": "produced"},
        {"band": "QC_Day", "bits": [2, 3], "keep": [0], "meaning": "good radiances"},
        {"band": "QC_Day", "bits": [6, 7], "keep": [0, 1], "meaning": "error of 2 K at most"},
    ],
}
BURNT = [
    {"band": "QA", "bits": [0, 0], "keep": [1], "meaning": "land"},
    {"band": "QA", "bits": [1, 1], "keep": [1], "meaning": "enough data"},
    {"band": "QA", "bits": [2, 2], "keep": [0], "meaning": "the whole month"},
]


def array(numbers, dtype):
    return np.array(numbers, dtype=dtype)


def first_failure(flags, rules, dtype=np.uint8):
    (band,) = {rule["band"] for rule in rules}
    return quality_mask({band: array(flags, dtype)}, rules, FILE).tolist()


def slow_mask(number, width, rules):
    """Return the first rule that fails, by text: bits as a string of zeros and ones."""
    text = format(number % 2**width, f"0{width}b")[::-1]
    for place, rule in enumerate(rules, start=1):
        if "values" in rule:
            kept = number in rule["values"]
        else:
            low, high = rule["bits"]
            kept = int(text[low : high + 1][::-1], 2) in rule["keep"]
        if not kept:
            return place
    return 0


@st.composite
def flags_and_rules(draw):
    dtype = np.dtype(draw(st.sampled_from(["u1", "u2", "u4", "i1", "i2", "i4", ">u2"])))
    width = 8 * dtype.itemsize
    rules = []
    for k in range(draw(st.integers(0, 4))):
        low = draw(st.integers(0, width - 1))
        high = draw(st.integers(low, min(width - 1, low + 5)))
        codes = st.lists(st.integers(0, 2 ** (high - low + 1) - 1), min_size=1, max_size=6)
        rules.append({"band": "QA", "bits": [low, high], "keep": draw(codes), "meaning": f"{k}"})
    if draw(st.booleans()):
        span = np.iinfo(dtype)
        codes = draw(st.lists(st.integers(int(span.min), int(span.max)), min_size=1, max_size=3))
        rules.insert(draw(st.integers(0, len(rules))), {"band": "QA", "values": codes})
    return draw(hnp.arrays(dtype, (3, 5))), rules


@given(flags_and_rules())
def test_bits_are_those_of_a_slow_decoder(case):
    flags, rules = case
    found = quality_mask({"QA": flags}, rules, FILE)
    width = 8 * flags.itemsize
    expected = [slow_mask(number, width, rules) for number in flags.ravel().tolist()]
    assert found.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("flag", "failed"),
    [
        (0b000_00_0_0_0, 0),  # main algorithm, clear
        (0b001_00_0_0_0, 0),  # with saturation
        (0b000_11_0_0_0, 0),  # cloud state not defined, assumed clear
        (0b000_00_0_1_0, 0),  # Aqua
        (0b010_00_0_0_1, 1),  # empirical algorithm: bad geometry
        (0b000_00_1_0_0, 2),  # dead detectors
        (0b000_01_0_0_0, 3),  # cloudy
        (0b001_10_0_0_0, 3),  # mixed clouds
        (0b011_00_0_0_0, 4),  # empirical algorithm, though the first bit says otherwise
        (0b100_00_0_0_0, 4),  # not produced
        (157, 1),  # not produced, cloud state not defined, dead detectors, other quality
        (255, 1),  # fill
    ],
)
def test_quality_of_leaf_area(flag, failed):
    assert first_failure([flag], LAI["quality"]) == [failed]


def test_leaf_area_flags_kept_are_those_of_clear_or_undefined_sky():
    kept = [n for n in range(256) if first_failure([n], LAI["quality"]) == [0]]
    assert kept == [0, 2, 24, 26, 32, 34, 56, 58]


@pytest.mark.parametrize(
    ("flag", "failed"),
    [
        (0b0_0_001_0_0_0_01_0000_00, 0),  # land, low aerosol, highest usefulness
        (0b0_0_001_0_1_0_10_0100_01, 0),  # BRDF corrected, average aerosol
        (0b0_0_001_0_0_0_01_0000_10, 1),  # probably cloudy
        (0b0_0_001_0_0_0_01_1100_01, 2),  # lowest usefulness
        (0b0_0_001_0_0_0_11_0001_00, 3),  # much aerosol
        (0b0_0_001_0_0_1_01_0001_00, 4),
        (0b0_0_001_1_0_0_01_0001_00, 5),
        (0b0_1_001_0_0_0_01_0001_00, 6),
        (0b1_0_001_0_0_0_01_0001_00, 7),
        (65535, 1),  # fill
    ],
)
def test_quality_of_vegetation_indices(flag, failed):
    assert first_failure([flag], VI, np.uint16) == [failed]
    signed = array([flag], np.uint16).view(np.int16)
    assert quality_mask({"VI_Quality": signed}, VI, FILE).tolist() == [failed]


@pytest.mark.parametrize(
    ("flag", "failed"),
    [
        (0b00_00_00_00, 0),
        (0b01_01_00_01, 0),  # other quality, but within 2 K
        (0b00_00_00_10, 1),  # not produced: cloud
        (0b00_00_00_11, 1),  # not produced: other
        (0b00_00_01_01, 2),
        (0b10_00_00_01, 3),  # within 3 K
        (0b11_11_00_01, 3),
    ],
)
def test_quality_of_surface_temperature(flag, failed):
    assert first_failure([flag], LST["quality"]) == [failed]


@pytest.mark.parametrize(
    ("flag", "failed"),
    [
        (0b000_0_0_0_1_1, 0),
        (0b001_0_1_0_1_1, 0),  # relabelled; observations sparse in time, so unburned
        (0b000_0_0_0_0_0, 1),  # water
        (0b000_0_0_0_0_1, 2),
        (0b000_0_0_1_1_1, 3),
    ],
)
def test_quality_of_burned_area(flag, failed):
    assert first_failure([flag], BURNT) == [failed]


def test_scene_classes_are_kept_by_value():
    rules = [{"band": "SCL", "values": [4, 5], "meaning": "vegetation or bare soil"}]
    assert first_failure(range(12), rules) == [1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("rule", "dtype", "message"),
    [
        ({"bits": [0, 8], "keep": [0]}, np.uint8, "QA: found bits 0 to 8; expected bits within"),
        ({"bits": [3, 2], "keep": [0]}, np.uint8, "found bits 3 to 2"),
        ({"bits": [0, 1], "keep": [4]}, np.uint8, "found 4 to keep in bits 0 to 1"),
    ],
)
def test_rules_that_the_band_cannot_follow_are_refused(rule, dtype, message):
    with pytest.raises(InputError, match=message):
        quality_mask({"QA": np.zeros(2, dtype)}, [{"band": "QA", **rule}], FILE)


def test_flags_may_be_real_numbers_if_they_are_whole():
    flags = array([0, 8, np.nan, np.inf, 32], np.float32)
    assert first_failure(flags, LAI["quality"], np.float32) == [0, 3, 1, 1, 0]
    with pytest.raises(InputError, match="found float32 numbers; expected integers, which have"):
        first_failure([0.5], LAI["quality"], np.float32)


def lai_bands(values, flags, errors, **said):
    return {
        "Lai_500m": Band(array(values, np.uint8), **said),
        "FparLai_QC": Band(array(flags, np.uint8)),
        "LaiStdDev_500m": Band(array(errors, np.uint8)),
    }


def test_leaf_area_is_scaled_masked_and_counted_by_reason():
    bands = lai_bands(
        [0, 35, 100, 249, 255, 101, 20, 20, 20],
        [0, 0, 32, 157, 255, 0, 1, 8, 0],
        [0, 4, 30, 248, 255, 1, 1, 1, 248],
        fill=(255,),
    )
    assert bands_of(LAI) == ("Lai_500m", "FparLai_QC", "LaiStdDev_500m")
    found = decode("lai", LAI, bands, FILE)
    nan = np.nan
    np.testing.assert_allclose(found.values, [0.0, 3.5, 10.0, *[nan] * 6])
    np.testing.assert_allclose(found.uncertainty, [0.1, 0.4, 3.0, *[nan] * 6])
    assert found.counts == Counts(
        9,
        3,
        {
            "fill": 1,
            "out of the valid range": 2,
            "main algorithm": 1,
            "no clouds": 1,
            "no uncertainty": 1,
        },
    )


def test_temperature_comes_in_degrees_and_its_error_is_a_difference():
    entry = {**LST, "uncertainty": {"relative": 0.001, "minimum": 0.5}}
    raw = {"LST_Day_1km": array([0, 14000, 15000], np.uint16), "QC_Day": array([2, 0, 0], np.uint8)}
    bands = {"LST_Day_1km": Band(raw["LST_Day_1km"], fill=(0,)), "QC_Day": Band(raw["QC_Day"])}
    found = decode("lst", entry, bands, FILE)
    np.testing.assert_allclose(found.values, [np.nan, 280 - 273.15, 300 - 273.15])
    np.testing.assert_allclose(found.uncertainty, [np.nan, 0.5, 0.5])
    assert found.counts == Counts(3, 2, {"fill": 1})


@given(
    hnp.arrays(np.uint8, 40),
    hnp.arrays(np.uint8, 40),
    hnp.arrays(np.uint8, 40),
    st.lists(st.integers(0, 255), max_size=3),
)
def test_counts_add_up_to_the_total_and_to_what_is_masked(values, flags, errors, fill):
    bands = lai_bands(values, flags, errors, fill=tuple(fill))
    found = decode("lai", LAI, bands, FILE)
    assert found.counts.total == 40 == found.counts.kept + sum(found.counts.masked.values())
    assert (
        found.counts.kept == np.isfinite(found.values).sum() == np.isfinite(found.uncertainty).sum()
    )
    parts = [
        decode("lai", LAI, lai_bands(values[s], flags[s], errors[s], fill=tuple(fill)), FILE).counts
        for s in (slice(0, 13), slice(13, 40))
    ]
    assert parts[0] + parts[1] == found.counts


@given(hnp.arrays(np.int16, 30), st.floats(1e-4, 10), st.floats(-100, 100), st.data())
def test_scaling_is_that_of_plain_arithmetic(raw, scale, offset, data):
    low, high = sorted(data.draw(st.tuples(*[st.integers(-32768, 32767)] * 2)))
    entry = {"band": "b", "units": "1", "scale": scale, "offset": offset, "valid": [low, high]}
    found = decode("lai", entry, {"b": Band(raw)}, FILE).values
    for number, value in zip(raw.tolist(), found.tolist(), strict=True):
        if low <= number <= high:
            assert value == pytest.approx(number * scale + offset, rel=1e-12, abs=1e-12)
        else:
            assert np.isnan(value)


def simple(raw, said=None, name="lai", **entry):
    entry = {"band": "b", "units": "1", **entry}
    return decode(name, entry, {"b": Band(np.asarray(raw), **(said or {}))}, FILE)


def test_fill_is_what_the_type_can_hold():
    found = simple(array([0, 255, 7], np.uint8), {"fill": (-9999.0, 255.0, np.nan)})
    assert found.counts == Counts(3, 2, {"fill": 1})
    lowest = float(np.finfo(np.float32).min)
    found = simple(
        array([lowest, -9999.9, np.nan, 1.5], np.float32), {"fill": (lowest, -9999.9, 1e300)}
    )
    assert found.counts == Counts(4, 1, {"fill": 3})


def test_infinite_numbers_are_out_of_range():
    assert simple([np.inf, 1.0]).counts == Counts(2, 1, {"out of the valid range": 1})


def test_what_the_file_says_holds_where_the_source_is_silent():
    said = {"scale": 0.02, "offset": 200.0, "units": "K", "valid": (10, 20)}
    entry = {"band": "b"}
    found = decode("lst", entry, {"b": Band(array([9, 10, 21], np.int16), **said)}, FILE)
    np.testing.assert_allclose(found.values, [np.nan, 200.2 - 273.15, np.nan])
    same = simple(array([10], np.int16), {"scale": float(np.float32(0.02))}, scale=0.02)
    assert same.values == [0.2]


@pytest.mark.parametrize(
    ("said", "entry", "message"),
    [
        ({"scale": 0.01}, {"scale": 0.1}, "b: found scale 0.01 in the file; expected 0.1, as the"),
        ({"scale": 1.0}, {"scale": 0.1}, "found scale 1 in"),
        ({"offset": 5.0}, {"offset": 0.0}, "found offset 5 in"),
        ({"units": "%"}, {}, "found units '%'; expected '1'"),
        ({}, {"units": "kg"}, "found unit 'kg'; expected a unit that converts to '1'"),
        ({}, {"units": None}, "found no units"),
        ({}, {"valid": [7500, 65535]}, "found uint8 numbers; expected a type that holds 7500"),
        ({}, {"fill": [-1]}, "expected a type that holds -1"),
        ({}, {"uncertainty": {"relative": 0.1}}, "found an uncertainty of 0 at 1 values"),
    ],
)
def test_contradictions_and_impossible_units_name_file_and_band(said, entry, message):
    with pytest.raises(InputError, match=message) as raised:
        simple(array([0], np.uint8), said, **entry)
    assert (raised.value.file, raised.value.field) == (FILE, "b")


def test_units_of_another_kind_or_none_at_all_give_way_to_the_source():
    assert simple([2.0], {"units": "fraction of ground"}).values == [2.0]
    assert simple([2.0], {"units": "kg m-2"}, name="pr", units="mm d-1").values == [2.0]


def test_water_by_mass_becomes_millimetres_and_carbon_by_amount_a_mass():
    assert simple([1.0], name="pr", units="kg m-2 s-1").values == [86400.0]
    found = simple([1.0], name="gpp", units="umol m-2 s-1", uncertainty={"minimum": 0.1})
    np.testing.assert_allclose(found.values, 12.011e-6 * 86400)
    np.testing.assert_allclose(found.uncertainty, 12.011e-7 * 86400)


def test_codes_sums_and_names_of_others_stay_as_they_are():
    codes = simple(array([10, 200], np.uint8), name="land_cover", classes={"tree": [10]})
    assert codes.values.tolist() == [10.0, 200.0]
    assert simple([0.5], name="pr", units="m", accumulated={"reset": "day"}).values == [0.5]
    assert simple([280.0], name="roughness", units="m").values == [280.0]


def test_what_drivers_are_made_of_is_in_the_unit_of_the_domain():
    np.testing.assert_allclose(simple([280.0], name="tdps", units="K").values, [6.85])


def test_large_integers_are_exact_or_refused():
    assert simple(array([EXACT, -EXACT], np.int64)).values.tolist() == [EXACT, -EXACT]
    assert simple(array([2**32 - 1], np.uint32)).values == [2**32 - 1]
    for number, dtype in ((EXACT + 1, np.int64), (-EXACT - 1, np.int64), (2**64 - 1, np.uint64)):
        with pytest.raises(InputError, match="found the integer"):
            simple(array([number], dtype))
    masked = simple(array([2**64 - 1, 1], np.uint64), {"fill": (2**64 - 1,)})
    assert masked.counts == Counts(2, 1, {"fill": 1})


def test_values_that_float64_cannot_hold_are_refused():
    with pytest.raises(InputError, match="1 values beyond float64"):
        simple([1e300, 1.0], scale=1e10)


def test_text_is_no_value():
    with pytest.raises(InputError, match="expected integers or real numbers"):
        simple(array(["a"], "S1"))


def test_numbers_within_bounds_become_one():
    raw = np.array([-2, 0, 1, 200, 366], np.int16)
    spec = {"units": "1", "within": [1, 366], "valid": [0, 366], "accumulated": {"reset": "step"}}
    found = simple(raw, name="burned_area_fraction", **spec)
    np.testing.assert_array_equal(found.values, [np.nan, 0.0, 1.0, 1.0, 1.0])
