"""Times in file names: every documented pattern, and what must not be taken for one."""

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.times.stamps import name_without_time, time_in_name, zone_in_name

moments = st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2069, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)
FORMATS = {
    "OR_ABI-L2-CMIPM1-M6C13_G16_s%Y%j%H%M%S0_e20191121001270_c20191121001330.nc": "s",
    "OR_HFD-020-B14-M1C13-T001_GH8_s%Y%j%H%M%S_c2019112101000.nc": "s",
    "CG_e20191121001270_s%Y%j%H%M%S0.png": "s",
    "MOD021KM.A%Y%j.%H%M.061.2019113071645.hdf": "min",
    "A%Y%j%H%M%S.L2_LAC.nc": "s",
    "goes13.%Y.%j.%H%M%S.BAND_04.nc": "s",
    "SVI05_npp_d%Y%m%d_t%H%M%S0_e1001365_b38754_c20190422160000000000_noac_ops.h5": "s",
    "W_XX-EUMETSAT-Darmstadt,IMG+SAT,MTI1+FCI-1C-RRAD-FDHSI-FD--CHK-BODY---NC4E_C_EUMT_20230101001507_GTT_DEV_"
    "%Y%m%d%H%M%S_20230101001016_N__T_0070_0001.nc": "s",
    "W_XX-EUMETSAT-Darmstadt,VIS+IR+IMAGERY,MSG3+SEVIRI_C_EUMG_%Y%m%d%H%M%S.nc": "s",
    "MSG4-SEVI-MSG15-0100-NA-%Y%m%d%H%M%S.000000000Z-20190101001300-4055862.nat": "s",
    "H-000-MSG4__-MSG4________-IR_108___-000001___-%Y%m%d%H%M-__": "min",
    "3DIMG_25DEC2019_%H%M_L1B_STD.h5": "clock",
    "NC_H08_%Y%m%d_%H%M_R21_FLDK.06001_06001.nc": "min",
    "HS_H09_%Y%m%d_%H%M_B13_FLDK_R20_S0110.DAT": "min",
    "merg_%Y%m%d%H_4km-pixel.nc4.nc4": "h",
    "GRIDSAT-B1.%Y.%m.%d.%H.v02r01.nc": "h",
    "GridSat-GOES.goes13.%Y.%m.%d.%H%M.v01.nc": "min",
    "2005236N23285.KATRINA.%Y.%m.%d.%H%M.21.GOE-12.080.hursat-b1.v06.nc": "min",
    "ISCCP-Basic.HGG.v01r00.GLOBAL.%Y.%m.%d.%H%M.GPC.10KM.CS00.EA1.00.nc": "min",
    "FY4A-_AGRI--_N_REGC_1047E_L1-_FDI-_MULT_NOM_%Y%m%d%H%M%S_20190101002335_4000M_V0001.HDF": "s",
    "gk2a_ami_le1b_ir105_fd020ge_%Y%m%d%H%M.nc": "min",
    "2019WP11_4KMIRIMG_%Y%m%d%H%M.png": "min",
    "twpvisstgridirtemp.c1.%Y%m%d.%H%M%S.nc": "s",
    "%Y%m%d.%H%M.himawari8.ir.png": "min",
    "S3A_SL_1_RBT____%Y%m%dT%H%M%S_20190101T001542_20190102T001542.nc": "s",
    "%Y%m%d%H-200717-MTS1-1.h5": "h",
    "201919_%Y%m%d%H%M%S.png": "s",
    "MTSAT%Y%m%d%H%MIR1.png": "min",
    "%Y%m%dT%H%MZ.png": "min",
    "%Y%m%dT%H%M%S+0000.png": "s",
    "a %Y-%m-%d %H_%M.png": "min",
    "%Y-%m-%dT%H-%M-%S.png": "s",
    "wrfout_d01_%Y-%m-%d_%H:%M:%S": "s",
    "tb_%Y-%m-%dT%H%%3A%M%%3A%S.nc": "s",
    "tb_%Y%m%d_%Hh%M.png": "min",
    "tb_%Y%m%d_%H.png": "h",
    "tb_%Y_%m_%d_%H_%M_UTC.png": "min",
    "%Y年%m月%d日%H时%M分.nc": "min",
    "%Y年%m月%d日%H時%M分%S秒.png": "s",
    "台风_%Y年%m月%d日 %H点.png": "h",
}
STEPS = {"s": "datetime64[s]", "min": "datetime64[m]", "h": "datetime64[h]"}


def stamped(pattern, moment):
    return pattern.replace("25DEC2019", f"{moment.day:02d}{moment:%b%Y}".upper()) if "25DEC" in pattern else pattern


@pytest.mark.parametrize("pattern", FORMATS)
@settings(max_examples=15)
@given(moment=moments)
def test_any_time_comes_back_from_every_documented_pattern(pattern, moment):
    name = moment.strftime(stamped(pattern, moment))
    unit = STEPS[FORMATS[pattern].replace("clock", "min")]
    assert time_in_name(name) == np.datetime64(moment).astype(unit), name


@pytest.mark.parametrize("pattern", FORMATS)
@settings(max_examples=10)
@given(moments, moments)
def test_names_that_differ_in_their_time_alone_are_one_pattern(pattern, one, other):
    assert name_without_time(one.strftime(stamped(pattern, one))) == name_without_time(
        other.strftime(stamped(pattern, other))
    )


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("OR_ABI-L2-CMIPM1-M6C13_G16_s20191121010213.png", "2019-04-22T10:10:21.300"),
        ("MSG4-SEVI-MSG15-0100-NA-20190101001242.585000000Z-NA.nat", "2019-01-01T00:12:42.585"),
        ("20190101001242585.png", "2019-01-01T00:12:42.585"),
        ("20191225T0900JST.png", "2019-12-25T00:00"),
        ("20191225_0300_JST.png", "2019-12-24T18:00"),
        ("JST_20191225_0900.png", "2019-12-25T00:00"),
        ("201912250900KST.png", "2019-12-25T00:00"),
        ("2019-12-25T09:00+09:00.png", "2019-12-25T00:00"),
        ("2019-12-25T09:00+05:30.png", "2019-12-25T03:30"),
        ("2019122509Z.png", "2019-12-25T09:00"),
        ("ir_20200229_2330.png", "2020-02-29T23:30"),
        ("ir_20191225t0930.png", "2019-12-25T09:30"),
        ("ir_2019-12-25_09h.png", "2019-12-25T09:00"),
        ("ir_20191225_0930h_x.png", "2019-12-25T09:30"),
        ("25-Dec-2019_0930.png", "2019-12-25T09:30"),
        ("20191225T0900_20191225T0910.nc", "2019-12-25T09:00"),
        ("2019-12-25 09꞉30.png", "2019-12-25T09:30"),
        ("EOS-AM_20191225_0900.nc", "2019-12-25T09:00"),
        ("20191225_090000_UTC+00.nc", "2019-12-25T09:00"),
        ("2019122509+000h.nc", "2019-12-25T09:00"),
        ("2019-12-25 09：30.png", "2019-12-25T09:30"),
        ("TCPRIMED_v01r01-final_AL012019_era5_s20190519120000_e20190522000000.nc", "2019-05-19T12:00"),
        ("TCPRIMED_v01r01-final_AL012019_era5_s20191012120000_e20191015000000.nc", "2019-10-12T12:00"),
        ("VIIRS-IMG_v1r1_npp_s201810060125543_e201810060127185_c201810060231080.nc", "2018-10-06T01:25:54.300"),
    ],
)
def test_a_stamp_is_read_as_what_it_is(name, time):
    assert time_in_name(name) == np.datetime64(time)


@pytest.mark.parametrize(
    ("name", "time", "zone"),
    [
        ("2007年10月6日9時.png", "2007-10-06T09:00", None),
        ("2007年1月6日9时5分.nc", "2007-01-06T09:05", None),
        ("2007年10月06日12时整.nc", "2007-10-06T12:00", None),
        ("北京时间2007年10月6日8时30分.nc", "2007-10-06T00:30", "北京时间"),
        ("2007年10月6日9時JST.png", "2007-10-06T00:00", "JST"),
        ("2007年10月6日0時30分日本時間.png", "2007-10-05T15:30", "日本時間"),
        ("2007年10月6日12时世界时.png", "2007-10-06T12:00", None),
    ],
)
def test_chinese_and_japanese_names_are_read(name, time, zone):
    assert time_in_name(name) == np.datetime64(time, "ns")
    assert zone_in_name(name) == zone


@pytest.mark.parametrize("name", ["2007年10月6日.png", "2007年10月6日下午3时.png", "2007年10月6日12时30.png"])
def test_a_chinese_date_without_a_clear_clock_is_a_date_alone(name):
    assert time_in_name(name) is None
    assert time_in_name(name, date_is_enough=True) == np.datetime64("2007-10-06", "ns")


@pytest.mark.parametrize("name", ["2007年13月6日12时.nc", "2007年10月6日25时.nc"])
def test_an_impossible_chinese_time_is_refused(name):
    with pytest.raises(InputError, match="which is no time"):
        time_in_name(name)


def test_a_zone_other_than_utc_is_named():
    assert zone_in_name("20191225T0900JST.png") == "JST"
    assert zone_in_name("20191225T0900+0530.png") == "+0530"
    assert zone_in_name("KST_20191225_0900.png") == "KST"
    for name in ("20191225T0900Z.png", "20191225_0900.png", "20191225_0900CST.png", "frame_1.png"):
        assert zone_in_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "frame_001.png",
        "typhoon_2019.nc",
        "200717.nc",
        "198702_0001.png",
        "merg_20191225-31_hourly.nc",
        "merg_20160801-04_atlantic_30min.nc",
        "storm_20191225_20191231.nc",
        "storm_2019-12-25_2019-12-31.nc",
        "tb_20191225_10km.nc",
        "tb_2019-12-25_9-00.nc",
        "tb_20191225_0850hPa.nc",
        "NC_H08_20191010_R21_FLDK.06001_06001.nc",
        "2005236N23285.KATRINA.nc",
        "1577264400.png",
        "OR_ABI_e20191121001270_c20191121001330.nc",
        "v02r01.nc",
        "\u0662\u0660\u0661\u0669\u0661\u0662\u0662\u0665_\u0660\u0669\u0660\u0660.png",
        "",
    ],
)
def test_what_is_no_time_is_not_taken_for_one(name):
    assert time_in_name(name) is None


def test_a_date_alone_means_midnight_on_request():
    for name in ("img20191225.png", "tb_2019-12-25.nc", "merg_20191225-31_hourly.nc"):
        assert time_in_name(name) is None
        assert time_in_name(name, date_is_enough=True) == np.datetime64("2019-12-25")
    assert time_in_name("frame_20199999.png", date_is_enough=True) is None
    assert time_in_name("OR_c20191121001330.nc", date_is_enough=True) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("OR_ABI_G16_s20194001000213.png", "no time"),
        ("OR_ABI_G16_s20191225093000.png", "no time"),
        ("s20193661000213.png", "no day 366"),
        ("20191325_0900.png", "no time"),
        ("20191225_2400.png", "no time"),
        ("20191225_0960.png", "no time"),
        ("20190229_0900.png", "no time"),
        ("2019112_1000.png", "day of the year"),
        ("20191121000.png", "day of the year"),
        ("2019122509_30.png", "two ways"),
        ("20191225T0900-0500.png", "two ways"),
        ("20191225_0900CST.png", "CST"),
        ("20191225_0900_local.png", "local"),
        ("tb_2019-12-25_09-00PM.nc", "PM"),
        ("tb_20191225_0900PM.nc", "PM"),
        ("2019-12-25 01.30.00 PM.png", "PM"),
        ("2019-12-25T00:00-06:00.png", "two ways"),
        ("2019-12-25 00 30 00.png", "two ways: '30' behind '2019-12-25 00' may"),
        ("s20191012120000.png", "day of the year or a date"),
        ("TCPRIMED_AL012019_era5_s20191010000000_e20191012000000.nc", "day of the year or a date"),
        ("2019122500+01h.png", "forecast"),
        ("2019122500+01.png", "forecast"),
        ("20191225_0000UTC+8.png", "zone"),
        ("20191225_0000_GMT-05.png", "zone"),
        ("2019122500+024.png", "forecast"),
        ("2019-12-25T00:00+6h.png", "forecast"),
    ],
)
def test_what_cannot_be_a_time_or_can_be_two_is_refused(name, words):
    with pytest.raises(InputError, match=words):
        time_in_name(name)
    assert isinstance(name_without_time(name), str)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("merg_2019122500_4km-pixel.nc4", "merg_#_4km-pixel.nc4"),
        (
            "OR_ABI-L2-CMIPM1-M6C13_G16_s20191121010213_e20191121011213_c20191121012213.nc",
            "OR_ABI-L2-CMIPM1-M6C13_G16_s#_e#_c#.nc",
        ),
        ("NC_H08_20191010_0010_R21_FLDK.06001_06001.nc", "NC_H08_#_R21_FLDK.06001_06001.nc"),
        ("daily_20191225.nc", "daily_#.nc"),
        ("2007100323-200717-MTS1-1.h5", "#-200717-MTS1-1.h5"),
        ("198702.nc", "198702.nc"),
        (
            "2005236N23285.KATRINA.2005.08.28.1800.21.GOE-12.080.hursat-b1.v06.nc",
            "2005236N23285.KATRINA.#.#.GOE-12.#.hursat-b1.v06.nc",
        ),
    ],
)
def test_the_pattern_of_a_name_keeps_everything_but_the_time(name, pattern):
    assert name_without_time(name) == pattern


def read_or_refused(name):
    try:
        time = time_in_name(name, date_is_enough=True)
    except InputError:
        return True
    return time is None or time.dtype == np.dtype("datetime64[ns]")


@given(st.text(max_size=40))
def test_any_name_is_read_or_refused(name):
    assert read_or_refused(name)
    name_without_time(name)


@given(st.from_regex(r"\A[a-z_]?(19|20)[0-9]{6,12}[-_.T]?[0-9]{0,6}(Z|JST|\+[0-9]{4}|[-_][0-9]{2,4})?\Z"))
def test_anything_like_a_time_is_read_or_refused(name):
    assert read_or_refused(name)
    name_without_time(name)
