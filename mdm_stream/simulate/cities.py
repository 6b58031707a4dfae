"""Cities with postcodes, streets, and telephone area codes of the United States, and numbers that reach nobody.

Cities, the leading three digits of their postcodes and area codes are public knowledge; which street runs where is
invented. Telephone numbers use the exchange 555, which is assigned to no subscriber.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class City:
    """A city, its state's code, and the leading three digits of its postcodes."""

    name: str
    state: str
    zips: tuple[str, ...]


# name, state, weight (thousands of inhabitants, rounded), leading postcode digits
_CITIES = """New York|NY|8300|100 101 102 103 104 112 113; Los Angeles|CA|3900|900 901 902; Chicago|IL|2700|606 607
Houston|TX|2300|770 772; Phoenix|AZ|1600|850 853; Philadelphia|PA|1600|190 191; San Antonio|TX|1450|782
San Diego|CA|1400|921; Dallas|TX|1300|752 753; San Jose|CA|1000|951; Austin|TX|960|787; Jacksonville|FL|950|322
Fort Worth|TX|920|761; Columbus|OH|900|432; Charlotte|NC|870|282; Indianapolis|IN|880|462; San Francisco|CA|870|941
Seattle|WA|740|981; Denver|CO|715|802; Washington|DC|690|200; Nashville|TN|690|372; Oklahoma City|OK|680|731
El Paso|TX|680|799; Boston|MA|675|021 022; Portland|OR|650|972; Las Vegas|NV|640|891; Detroit|MI|640|482
Memphis|TN|630|381; Louisville|KY|630|402; Baltimore|MD|585|212; Milwaukee|WI|575|532; Albuquerque|NM|565|871
Tucson|AZ|540|857; Fresno|CA|540|937; Sacramento|CA|525|958; Kansas City|MO|508|641; Mesa|AZ|500|852
Atlanta|GA|498|303; Omaha|NE|486|681; Colorado Springs|CO|478|809; Raleigh|NC|467|276; Miami|FL|442|331
Virginia Beach|VA|459|234; Oakland|CA|440|946; Minneapolis|MN|430|554; Tulsa|OK|413|741; Tampa|FL|385|336
Arlington|TX|394|760; New Orleans|LA|383|701; Wichita|KS|397|672; Cleveland|OH|372|441; Bakersfield|CA|403|933
Aurora|CO|386|800; Anaheim|CA|346|928; Honolulu|HI|350|968; Riverside|CA|314|925; Corpus Christi|TX|317|784
Lexington|KY|322|405; Saint Louis|MO|301|631; Saint Paul|MN|311|551; Stockton|CA|320|952; Pittsburgh|PA|302|152
Cincinnati|OH|309|452; Anchorage|AK|291|995; Henderson|NV|317|890; Greensboro|NC|299|274; Lincoln|NE|291|685
Buffalo|NY|278|142; Newark|NJ|311|071; Orlando|FL|307|328; Toledo|OH|270|436; Durham|NC|283|277; Madison|WI|269|537
Fort Wayne|IN|263|468; Saint Petersburg|FL|258|337; Reno|NV|264|895; Norfolk|VA|238|235; Richmond|VA|226|232
Boise|ID|235|837; Spokane|WA|228|992; Baton Rouge|LA|227|708; Des Moines|IA|214|503; Tacoma|WA|219|984
Salt Lake City|UT|199|841; Rochester|NY|211|146; Little Rock|AR|202|722; Grand Rapids|MI|198|495
Providence|RI|190|029; Knoxville|TN|190|379; Worcester|MA|206|016; Chattanooga|TN|181|374; Jackson|MS|153|392
Savannah|GA|147|314; Syracuse|NY|148|132; Hartford|CT|121|061; Charleston|SC|150|294; Springfield|MO|169|658
Springfield|IL|114|627; Cedar Rapids|IA|137|524; Topeka|KS|126|666; Ann Arbor|MI|123|481; Fargo|ND|125|581
Billings|MT|117|591; Sioux Falls|SD|192|571; Manchester|NH|115|031; Burlington|VT|44|054; Cheyenne|WY|65|820
Mount Vernon|NY|73|105; Santa Fe|NM|87|875; Duluth|MN|86|558; Asheville|NC|94|288; Portland|ME|68|041"""


def _parse_cities() -> tuple[tuple[City, ...], tuple[float, ...]]:
    cities, weights = [], []
    for entry in _CITIES.replace("\n", ";").split(";"):
        name, state, thousands, zips = entry.strip().split("|")
        cities.append(City(name, state, tuple(zips.split())))
        weights.append(float(thousands))
    return tuple(cities), tuple(accumulate(weights))


CITIES, CITY_WEIGHTS = _parse_cities()
"""The cities, and their cumulative weights for ``random.choices``."""


def _split(text: str) -> tuple[str, ...]:
    return tuple(name.replace("_", " ") for name in text.split())


STREET_NAMES: tuple[str, ...] = _split(
    """Main Second Third First Oak Fourth Park Fifth Maple Sixth Cedar Elm Washington View Lake Hill Ninth
    Pine Walnut Spring Seventh Eighth North Ridge Church Willow Mill Sunset Railroad Jackson Cherry West Highland
    Johnson Franklin River Meadow Chestnut Lincoln Forest Jefferson Madison Green Dogwood Woodland Valley Birch
    Hickory Spruce Pleasant Center Locust College School Broad Adams Monroe Grant Union Prospect Laurel Grove Summit
    Court Liberty Market Magnolia Sycamore Poplar Cottage Clay State Vine Water Bridge Front Canal Ferry Harbor
    Orchard Garden Rose Holly Juniper Hawthorn Aspen Cypress Redwood Hazel Ivy Fern Clover Heather Lakeview Hillcrest
    Fairview Riverside Brookside Woodlawn Edgewood Glenwood Oakwood Maplewood Briarwood Rosewood Stonegate Fox_Run
    Deer_Path Eagle_Ridge Quail_Hollow Turkey_Creek Bear_Creek Indian_Trail Old_Mill Mill_Creek Stone_Bridge
    Country_Club Saint_Andrews Mount_Vernon Martin_Luther_King El_Camino Las_Palmas Vista_Del_Sol San_Marcos Santa_Rosa
    La_Mesa Kings_Highway Queens Duke York Windsor Cambridge Oxford Devon Essex Bristol Canterbury Wellington Lancaster
    Sheffield Carlton Hampton Arlington Lexington Concord Salem Plymouth Dover Camden Richmond Hamilton Harrison
    Cleveland Tyler Polk Pierce Taylor Wilson Roosevelt Kennedy"""
)
STREET_SUFFIXES: tuple[tuple[str, str], ...] = (
    ("Street", "St"),
    ("Avenue", "Ave"),
    ("Road", "Rd"),
    ("Drive", "Dr"),
    ("Lane", "Ln"),
    ("Court", "Ct"),
    ("Place", "Pl"),
    ("Boulevard", "Blvd"),
    ("Way", "Way"),
    ("Circle", "Cir"),
    ("Terrace", "Ter"),
    ("Parkway", "Pkwy"),
)
SUFFIX_WEIGHTS: tuple[float, ...] = tuple(accumulate((30, 20, 12, 10, 7, 5, 4, 4, 3, 2, 2, 1)))
DIRECTIONS: tuple[tuple[str, str], ...] = (("North", "N"), ("South", "S"), ("East", "E"), ("West", "W"))

AREA_CODES: tuple[str, ...] = _split(
    """201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248 251 252
    253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319 320
    321 323 325 330 331 334 336 337 347 351 352 360 361 386 401 402 404 405 406 407 408 409 410 412 413 414 415 417
    419 423 424 425 430 432 434 435 440 443 469 470 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 515
    516 517 518 520 530 540 541 551 559 561 562 563 567 570 571 573 574 575 580 585 586 601 602 603 605 606 607 608
    609 610 612 614 615 616 617 618 619 620 623 626 630 631 636 641 646 650 651 660 661 662 678 682 701 702 703 704
    706 707 708 712 713 714 715 716 717 718 719 720 724 727 731 732 734 740 754 757 760 762 763 765 770 772 773 774
    775 781 785 786 801 802 803 804 805 806 808 810 812 813 814 815 816 817 818 828 830 831 832 843 845 847 848 850
    856 857 858 859 860 862 863 864 865 870 901 903 904 906 907 908 909 910 912 913 914 915 916 917 918 919 920 925
    928 931 936 937 940 941 947 949 951 952 954 956 970 971 972 973 978 979 980 985 989"""
)
LINES_PER_AREA = 10_000
PHONE_COUNT = len(AREA_CODES) * LINES_PER_AREA
_PHONE_STEP = 1_299_709
"""A prime that divides neither the number of area codes nor 10,000: steps of it visit every number once."""

assert PHONE_COUNT % _PHONE_STEP != 0


def phone_number(slot: int) -> str:
    """Return the ten digits of telephone number ``slot``: distinct for slots below ``PHONE_COUNT``, then again."""
    area, line = divmod(slot * _PHONE_STEP % PHONE_COUNT, LINES_PER_AREA)
    return f"{AREA_CODES[area]}555{line:04d}"
