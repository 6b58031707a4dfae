"""What each type makes of the texts that sources send."""

import pytest

from mdm_stream.core.model import MISSING, Standardised
from mdm_stream.core.standardise import STANDARDISERS, TYPE_OPTIONS, fold
from mdm_stream.core.standardise.text import table_rows


def match_of(name, text, **options):
    """Return the match of a text under a type and its options."""
    return STANDARDISERS[name](text, options).match


@pytest.mark.parametrize(
    ("name", "spellings", "match"),
    [
        ("name", ["O'Brien", "OBrien", "O Brien", "o\u2019brien", "O\u00b4BRIEN", "o-brien"], "obrien"),
        ("name", ["Van der Berg", "vanderberg", "VAN DER BERG", "VanDer Berg", "van-der-berg"], "vanderberg"),
        ("name", ["De La Cruz", "de la Cruz", "DelaCruz", "dela cruz"], "delacruz"),
        ("name", ["al-Rashid", "Al Rashid", "alrashid"], "alrashid"),
        ("name", ["McDonald", "Mc Donald", "MCDONALD"], "mcdonald"),
        ("name", ["St. John", "Saint John", "St John", "StJohn"], "stjohn"),
        ("name", ["Mary-Jane", "Mary Jane", "MARY  JANE", "mary\u2010jane"], "mary jane"),
        ("name", ["Strauß", "STRAUSS", "Strauss"], "strauss"),
        ("name", ["Søren", "Soren"], "soren"),
        ("name", ["Łukasz", "LUKASZ"], "lukasz"),
        ("name", ["José", "Jose\u0301", "JOSE"], "jose"),
        ("name", ["Smith Jr.", "Smith", "SMITH III", "Mr Smith"], "smith"),
        ("name", ["Jr"], "jr"),
        ("name", ["\u202eRen\u00e9e\u200b"], "renee"),
        ("full_name", ["Dr. Ludwig van der Berg III", "VAN DER BERG, LUDWIG",
                       "Van der Berg, Ludwig"], "ludwig vanderberg"),
        ("full_name", ["Jack MA", "jack ma", "JACK MA"], "jack ma"),
        ("full_name", ["Smith, John Jr (Johnny)", "John Smith", "Mr. John Smith"], "john smith"),
        ("full_name", ["Pat O'Brien", "pat o brien", "O'BRIEN, PAT"], "pat obrien"),
        ("organisation", ["Acme Ltd", "ACME, Limited.", "The Acme Company", "Acme Inc", "acme pty ltd"], "acme"),
        ("organisation", ["Müller & Söhne GmbH & Co. KG", "Muller and Sohne GmbH"], "muller and sohne"),
        ("organisation", ["I.B.M. Corp.", "IBM", "i.b.m."], "ibm"),
        ("organisation", ["Crédit Agricole S.A.", "Credit Agricole SA"], "credit agricole"),
        ("organisation", ["Limited"], "limited"),
        ("organisation", ["Acme Intl", "Acme International LLC"], "acme international"),
        ("organisation", ["Acme Ltd (Scotland)"], "acme scotland"),
        ("address", ["12 High Street Apt 4", "Apt. 4, 12 High St", "4/12 High St.",
                     "12 HIGH STR #4"], "12 high st unit4"),
        ("address", ["12 North High Road", "12 High Rd N", "12 N. High Rd"], "12 high n rd"),
        ("address", ["100 North East Third Terrace", "100 NE 3rd Tce"], "100 3rd ne tce"),
        ("address", ["Hauptstr. 5", "Hauptstraße 5", "Haupt Strasse 5"], "5 haupt st"),
        ("address", ["P.O. Box 123", "PO Box 123", "Post Office Box 123", "POB 123", "GPO Box 123",
                     "Box 123"], "box123"),
        ("address", ["21 Twenty First St", "21 21st Street"], "21 21st st"),
        ("address", ["5th Floor, 10 Main Rd", "10 Main Road, Level 5"], "10 main rd level5"),
        ("address", ["12 A High St", "12a High Street", "No. 12A, High St"], "12a high st"),
        ("address", ["5 St James Street", "Saint James St. 5"], "5 james st st"),
        ("address", ["12-14 High Rd", "12 \u2013 14 High Road"], "12-14 high rd"),
        ("address", ["C/ Mayor 5", "Calle Mayor 5"], "5 calle mayor"),
        ("city", ["St. Albans", "Saint Albans"], "saint albans"),
        ("city", ["Mt Isa", "Mount Isa"], "mount isa"),
        ("city", ["N. Sydney", "north sydney"], "north sydney"),
        ("region", ["New South Wales", "N.S.W.", "nsw", "AU-NSW"], "nsw"),
        ("region", ["California", "Calif.", "CA", "US-CA"], "ca"),
        ("region", ["Québec", "QC", "Que."], "qc"),
        ("region", ["Bavaria"], "bavaria"),
        ("postcode", ["sw1a1aa", "SW1A 1AA", "SW1A  1AA"], "SW1A1AA"),
        ("postcode", ["12345", "12345-6789", "123456789", "12345.0"], "12345"),
        ("postcode", ["D-10115", "10115"], "10115"),
        ("country", ["USA", "U.S.", "United States of America", "us"], "us"),
        ("country", ["UK", "GB", "England", "United Kingdom"], "gb"),
        ("country", ["Deutschland", "DEU", "germany"], "de"),
        ("country", ["NA", "Namibia"], "na"),
        ("phone", ["(212) 555-0123", "212.555.0123", "+1 212 555 0123 ext. 5", "2125550123.0"], "+12125550123"),
        ("phone", ["+44 20 7946 0123", "442079460123", "0044 20 7946 0123"], "+442079460123"),
        ("email", ["John.Smith+news@GMail.com", "johnsmith@googlemail.com",
                   "J <john.smith@gmail.com>;"], "johnsmith@gmail.com"),
        ("email", ["mailto:a.b@c.org", "A.B@C.ORG", "a.b @ c.org"], "a.b@c.org"),
        ("date", ["1984-06-19", "19840619", "19/06/1984", "06/19/1984", "19.6.84", "19-Jun-84"], "1984-06-19"),
        ("date", ["June 19th, 1984", "Tuesday, 19 June 1984", "19 de junio de 1984",
                  "1984-06-19T23:59:59Z"], "1984-06-19"),
        ("date", ["19840619.0", "1984 6 19", "84/06/19", "840619", "19061984"], "1984-06-19"),
        ("date", ["1546300800", "1546300800000", "2019-01-01 00:00"], "2019-01-01"),
        ("number", ["$1,234.50", "1.234,50 €", "1234.5", "1 234,5", "USD 1234.50"], "1234.5"),
        ("number", ["(12)", "-12", "\u221212.0", "-1.2e1"], "-12"),
        ("number", ["0", "-0", "0.00"], "0"),
        ("identifier", ["ab-12 3", "AB123", "ab.12/3"], "AB123"),
        ("identifier", ["0012345", "001-2345"], "0012345"),
        ("category", ["Full-Time", "full time"], "full time"),
        ("url", ["https://www.Foo.co.uk/x?y=1", "foo.co.uk", "HTTP://foo.co.uk:8080", "www.foo.co.uk."], "foo.co.uk"),
        ("text", ["Hello,  World!", "hello world"], "hello world"),
    ],
)  # fmt: skip
def test_spellings_agree(name, spellings, match):
    """Spellings of one thing have one match."""
    found = {spelling: match_of(name, spelling) for spelling in spellings}
    assert found == dict.fromkeys(found, match)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", "  Van  der\tBerg ", "Van der Berg"),
        ("organisation", "Acme  Ltd.", "Acme Ltd."),
        ("address", "12  High Street", "12 High Street"),
        ("region", "new south wales", "NSW"),
        ("postcode", "sw1a1aa", "SW1A 1AA"),
        ("postcode", "123456789", "12345-6789"),
        ("country", "deutschland", "DE"),
        ("phone", "(212) 555-0123", "+12125550123"),
        ("email", "Joe <Joe@Example.org>", "joe@example.org"),
        ("date", "19 June 1984", "1984-06-19"),
        ("number", "€ 1.234,50", "1234.5"),
        ("identifier", "ab-12", "ab-12"),
    ],
)
def test_values_stay_readable(name, text, value):
    """The value is what a person would want to read."""
    assert STANDARDISERS[name](text, {}).value == value


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("name", ["N/A", "n.a.", "#N/A", "unknown", "none", "xxx", "TBD", "-", "?", "", " ", "\x00",
                  "...", "FNU", "😀"]),
        ("full_name", ["N/A", "not available", "Test Test"]),
        ("text", ["null", "NA", "nil", "test", "not available", "-"]),
        ("organisation", ["N/A", "unknown", "none"]),
        ("address", ["unknown", "no fixed abode", "-"]),
        ("city", ["na", "unknown"]),
        ("region", ["NA", "n/a"]),
        ("country", ["N/A", "unknown", "null"]),
        ("postcode", ["00000", "99999", "00000-0000", "0000", "n/a"]),
        ("phone", ["000-000-0000", "999 999 9999", "1234567890", "+1 111 111 1111", "none", "0000000000.0"]),
        ("email", ["noreply@shop.com", "no-reply@shop.com", "none@none", "none@none.com", "test@test.com",
                   "x@x", "n/a"]),
        ("date", ["1900-01-01", "01/01/1900", "1800-01-01", "9999-12-31", "0000-00-00", "00000000", "unknown"]),
        ("identifier", ["000-00-0000", "0000000", "1111111", "123456789", "123-45-6789", "N/A", "xxx"]),
        ("number", ["n/a", "-", "nan"]),
        ("category", ["unknown", "null"]),
        ("url", ["n/a", "none"]),
    ],
)  # fmt: skip
def test_placeholders_are_missing(name, texts):
    """A text that says that there is nothing becomes the missing value."""
    assert {text: STANDARDISERS[name](text, {}) for text in texts} == dict.fromkeys(texts, MISSING)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("name", ["Null", "Test", "Na", "Nil", "Nan", "Blank"]),
        ("country", ["NA"]),
        ("postcode", ["22222", "12345", "44444"]),
        ("phone", ["212-666-6666", "212 555 0000"]),
        ("number", ["0", "99999", "11111"]),
        ("identifier", ["1111", "12345"]),
        ("email", ["info@shop.com"]),
        ("address", ["Test Street 5"]),
        ("name", ["田中", "हिन्दी", "محمد", "Иван", "ไทย"]),
    ],
)
def test_real_values_are_kept(name, texts):
    """What looks like a placeholder and is a value of its type stays, as do names of every script."""
    for text in texts:
        assert match_of(name, text) is not None


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("phone", "call me", None),
        ("phone", "12345", None),
        ("phone", "+44 1818 836002", "+441818836002"),
        ("email", "jamesd75collins.biz", None),
        ("email", "a@b", "a@b"),
        ("email", "a..b@c.com", "a..b@c.com"),
        ("date", "31/02/2000", None),
        ("date", "19840231", None),
        ("date", "1984", None),
        ("date", "June 1984", None),
        ("number", "abc", None),
        ("number", "--5", None),
        ("number", "9" * 50, None),
        ("country", "Narnia", "narnia"),
        ("postcode", "abc", None),
        ("url", "localhost", None),
        ("url", "http://[::1", None),
    ],
)
def test_invalid_values_are_kept_as_delivered(name, text, match):
    """A value that fails its type's check stays readable, is marked invalid, and matches only where that is safe."""
    assert STANDARDISERS[name](text, {}) == Standardised(text, match, valid=False)


@pytest.mark.parametrize(
    ("name", "text", "options", "match"),
    [
        ("date", "3/4/2020", {}, "2020-03-04"),
        ("date", "3/4/2020", {"day_first": True}, "2020-04-03"),
        ("date", "13/4/2020", {"day_first": False}, "2020-04-13"),
        ("date", "4/13/2020", {"day_first": True}, "2020-04-13"),
        ("date", "1/1/30", {}, "2030-01-01"),
        ("date", "1/1/31", {}, "1931-01-01"),
        ("date", "1/1/31", {"pivot": 50}, "2031-01-01"),
        ("date", "5283", {"epoch_days": True}, "1984-06-19"),
        ("date", "-1", {"epoch_days": True}, "1969-12-31"),
        ("phone", "02 9371 8123", {"region": "AU"}, "+61293718123"),
        ("postcode", "2139", {"country": "US"}, "02139"),
        ("postcode", "2139", {}, "2139"),
        ("number", "1.234", {}, "1.234"),
        ("number", "1.234", {"decimal_comma": True}, "1234"),
        ("number", "123,456", {"decimal_comma": True}, "123.456"),
        ("category", "M", {"synonyms": "m=male; f=female"}, "male"),
        ("category", "Male", {"synonyms": "m=male; f=female"}, "male"),
        ("full_name", "Smith John", {"order": "family_first"}, "john smith"),
    ],
)
def test_options_settle_what_is_ambiguous(name, text, options, match):
    """Options decide only what a text leaves open."""
    assert match_of(name, text, **options) == match


@pytest.mark.parametrize(
    ("name", "option", "good", "bad"),
    [
        ("phone", "region", "AU", "XX"),
        ("date", "pivot", 50, 100),
        ("date", "pivot", 0, True),
        ("date", "day_first", True, "yes"),
        ("category", "synonyms", "a=b", 3),
        ("full_name", "order", "family_first", "last"),
    ],
)
def test_option_specs_tell_good_from_bad(name, option, good, bad):
    """An option's declaration accepts its values and says of others what was expected."""
    spec = TYPE_OPTIONS[name][option]
    assert spec.problem_with(good) is None
    assert spec.problem_with(bad)


def test_countries_and_regions_are_whole_and_unambiguous():
    """The tables hold all of ISO 3166-1, and no name or code stands for two countries or two regions of one country."""
    countries = table_rows("countries.csv")
    assert len({alpha_2 for alpha_2, _, _ in countries}) == 249
    assert len({alpha_3 for _, alpha_3, _ in countries}) == 249
    names = [fold(name.strip()) for a2, a3, listed in countries for name in {a2, a3, *listed.split(",")}]
    assert len(names) == len(set(names))
    for country in ("US", "CA", "AU", "GB"):
        regions = [
            fold(name.strip()) for owner, code, listed in table_rows("regions.csv") if owner == country
            for name in {code, *listed.split(",")}
        ]  # fmt: skip
        assert len(regions) == len(set(regions))
