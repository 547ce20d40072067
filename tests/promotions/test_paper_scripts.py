"""Papers in every script: each character has a glyph, Chinese characters have the right form, and no box is printed."""

from io import BytesIO
from typing import Any, get_args

import pytest
import typst
from pypdf import PdfReader

from tatami.tenancy.middleware import host_resolver
from tenant_apps.dojo.models import ChineseCharacters
from tenant_apps.promotions.errors import MissingGlyphs
from tenant_apps.promotions.pdf.exam_papers import candidate_sheet_pdf, examiners_list_pdf
from tenant_apps.promotions.pdf.typefaces import HanForm, families, fonts, han_form, han_form_of_zone
from tests.promotions.factories import ExamDojo
from tests.promotions.pdf_reading import margins_are_white, missing_glyphs, page_images, page_texts
from tests.promotions.test_certificate_pdf import certificate, printed
from tests.promotions.test_exam_papers_pdf import examiners_list, sheet
from tests.support.responses import assert_error, ok

pytestmark = pytest.mark.slow

NAMES = {
    "Latin": "Łukasz Nguyễn Văn Ánh Ōṅgḗ",
    "Greek": "Ἀλέξανδρος Παπαδόπουλος",
    "Cyrillic": "Ғазиз Ѓорѓи Щербаков",
    "Hebrew": "דוד כהן",
    "Arabic": "محمد عبد الله الخطيب",
    "Persian": "علی‌رضا پژوه",
    "Devanagari": "क्षत्रिय श्री कृष्ण विश्वकर्मा",
    "Bengali": "শ্রীমতী ক্ষমা চট্টোপাধ্যায়",
    "Tamil": "ஸ்ரீ கிருஷ்ணமூர்த்தி",
    "Telugu": "శ్రీ కృష్ణ",
    "Kannada": "ಶ್ರೀ ಕೃಷ್ಣ",
    "Malayalam": "ശ്രീ കൃഷ്ണൻ",
    "Gujarati": "શ્રી કૃષ્ણ",
    "Gurmukhi": "ਸ੍ਰੀ ਕ੍ਰਿਸ਼ਨ",
    "Oriya": "ଶ୍ରୀ କୃଷ୍ଣ",
    "Sinhala": "ශ්‍රී ලංකා",
    "Thai": "สมชาย น้ำผึ้ง",
    "Lao": "ສົມຊາຍ ຄຳ",
    "Khmer": "សុខ ចិន្តា ស្រី",
    "Burmese": "မြင့်မြတ်",
    "Ethiopic": "አበበ በቂላ",
    "Armenian": "Արամ Խաչատրյան",
    "Georgian": "გიორგი მელაძე",
    "Korean": "김민준 金",
    "Japanese": "髙橋 さくら 﨑",
    "simplified Chinese": "张小龙 刘骨直",
    "traditional Chinese": "黃骨直 劉德華",
    "emoji": "Mika 🥋 👩‍👩‍👧 ❤️ 🇧🇷 ☯",
}
UNPRINTABLE = {
    "Egyptian": "Mika \U00013000",
    "Tibetan": "བོད",
    "Cuneiform": "\U00012000 Sato",
    "a mark": "\U00011300",
}


def typefaces_of(pdf: bytes, page: int = 0) -> set[str]:
    resources: Any = PdfReader(BytesIO(pdf)).pages[page]["/Resources"]
    names = (font.get_object()["/BaseFont"] for font in resources["/Font"].values())
    return {name.split("+")[1].split("-")[0] for name in names}


def everywhere(name: str) -> dict[str, Any]:
    return {
        "dojo_name": name,
        "student_name": name,
        "rank_name": name,
        "rank_native_name": name,
        "discipline_or_system_name": name,
        "examiners": [name] * 6,
    }


# --- glyphs ---------------------------------------------------------------------------------------------------------


def test_a_certificate_has_every_glyph_of_names_in_every_script() -> None:
    pdf = printed(*(certificate(**everywhere(name)) for name in NAMES.values()))
    assert missing_glyphs(pdf) == 0
    for script, page in zip(NAMES, page_images(pdf), strict=True):
        assert margins_are_white(page), script
    assert len(pdf) < 1_000_000, "only the glyphs that are used are in the file"


def test_exam_papers_have_every_glyph_of_names_in_every_script() -> None:
    all_names = " ".join(NAMES.values())
    papers = [
        candidate_sheet_pdf(
            sheet(candidate_name=all_names, syllabus=all_names, rank_sought_native_name=all_names)
        ),
        examiners_list_pdf(examiners_list(3, examiners=list(NAMES.values())[:12], location=all_names)),
    ]
    assert [missing_glyphs(paper) for paper in papers] == [0, 0]


def test_the_boxes_of_a_typeface_without_a_glyph_are_counted() -> None:
    """The measure of the tests above finds what they exclude."""
    assert missing_glyphs(typst.compile("a\U00013000b བ".encode(), font_paths=fonts())) == 2


@pytest.mark.parametrize("name", UNPRINTABLE.values(), ids=UNPRINTABLE)
def test_a_paper_with_a_missing_glyph_is_refused(name: str) -> None:
    for refused in (
        lambda: printed(certificate(), certificate(student_name=name)),
        lambda: candidate_sheet_pdf(sheet(syllabus=f"First\n\n- {name}")),
        lambda: examiners_list_pdf(examiners_list(1, examiners=["Anna", name])),
    ):
        with pytest.raises(MissingGlyphs) as caught:
            refused()
        details = caught.value.details
        assert details is not None
        assert set("".join(details["missing_glyphs"])) == {
            one for one in name if ord(one) > 0xFFF or one > "\u0f00"
        }
        assert any(name in text for text in details["texts"])


def test_a_box_that_somebody_typed_is_printed() -> None:
    assert "□" in page_texts(printed(certificate(student_name="Mika □ Sato")))[0]


# --- shaping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("together", "apart"),
    [("क्ष", "क्‌ष"), ("ক্ষ", "ক্‌ষ"), ("محمد", "م‌ح‌م‌د"), ("ශ්‍රී", "ශ්රී"), ("ស្រ", "សរ")],
)
def test_letters_are_joined_as_their_script_requires(together: str, apart: str) -> None:
    """A conjunct is drawn differently from its letters. ZWNJ keeps them apart."""
    shapes = [page_images(printed(certificate(student_name=name)))[0].tobytes() for name in (together, apart)]
    assert shapes[0] != shapes[1]


def test_the_tracking_of_the_dojo_name_does_not_separate_joined_letters() -> None:
    joined, latin = (
        page_images(printed(certificate(dojo_name=name)), dots_per_inch=150)[0].crop((300, 110, 1450, 190))
        for name in ("محمد", "Mohamed")
    )
    assert runs_of_ink(joined) == 1, "four joined letters"
    assert runs_of_ink(latin) == 7


def runs_of_ink(image: Any) -> int:
    """Return the number of groups of columns with ink."""
    columns = [
        image.crop((x, 0, x + 1, image.height)).convert("L").getextrema()[0] < 140 for x in range(image.width)
    ]
    return sum(now and not before for before, now in zip([False, *columns], columns, strict=False))


# --- forms of Chinese characters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "default", "form"),
    [
        ("张小龙", "japanese", "simplified"),
        ("黃小明", "japanese", "traditional"),
        ("広沢 骨", "simplified", "japanese"),
        ("さくら 直", "traditional", "japanese"),
        ("直々", "simplified", "japanese"),
        ("김 直", "japanese", "korean"),
        ("直 ㄅ", "japanese", "traditional"),
        ("骨直", "japanese", "japanese"),
        ("骨直", "simplified", "simplified"),
        ("骨直", "traditional", "traditional"),
        ("骨直", "korean", "korean"),
        ("Mika Sato", "simplified", "simplified"),
        ("", "japanese", "japanese"),
    ],
)
def test_the_name_or_else_the_dojo_decides_the_form(name: str, default: Any, form: str) -> None:
    assert han_form(name, default) == form


@pytest.mark.parametrize(
    ("timezone", "form"),
    [
        ("Asia/Shanghai", "simplified"),
        ("Asia/Singapore", "simplified"),
        ("Asia/Taipei", "traditional"),
        ("Asia/Hong_Kong", "traditional"),
        ("Asia/Seoul", "korean"),
        ("Asia/Tokyo", "japanese"),
        ("Europe/Berlin", "japanese"),
    ],
)
def test_the_time_zone_of_a_dojo_says_which_form_is_usual(timezone: str, form: str) -> None:
    assert han_form_of_zone(timezone) == form
    assert {
        name for name in families(han_form_of_zone(timezone)) if name not in families("japanese")
    } == set()


@pytest.mark.parametrize(
    ("form", "typeface"),
    [("simplified", "NotoSerifSC"), ("traditional", "NotoSerifTC"), ("korean", "NotoSerifKR")],
)
def test_a_name_has_the_form_of_its_dojo_wherever_it_is_printed(form: Any, typeface: str) -> None:
    assert typeface in typefaces_of(printed(certificate(**everywhere("骨直"), han_form=form)))
    assert "NotoSerifJP" not in typefaces_of(printed(certificate(**everywhere("骨直"), han_form=form)))
    paper = candidate_sheet_pdf(sheet(candidate_name="骨直", syllabus="骨", exam_name="骨", han_form=form))
    assert typefaces_of(paper) == {"LibertinusSerif", typeface}


def test_names_of_several_forms_stand_on_one_paper() -> None:
    pdf = printed(certificate(student_name="张骨直", rank_native_name="初段", examiners=["黃骨", "田中"]))
    assert typefaces_of(pdf) == {"LibertinusSerif", "NotoSerifSC", "NotoSerifJP", "NotoSerifTC"}


def test_a_simplified_name_is_not_mixed_from_two_typefaces() -> None:
    pdf = printed(certificate(student_name="张骨直", rank_native_name=""))
    assert typefaces_of(pdf) == {"LibertinusSerif", "NotoSerifSC"}


# --- over HTTP ------------------------------------------------------------------------------------------------------


def test_a_certificate_that_cannot_be_printed_names_the_characters(exam_dojo: ExamDojo) -> None:
    exam_dojo.pass_exam(exam_dojo.ready)
    dojo = exam_dojo.dojo
    event = exam_dojo.candidates()["Ready"]["rank_event"]
    ok(dojo.admin.patch(f"/students/{exam_dojo.ready['id']}", {"first_name": "\U00013000\U00013001"}))
    for path in (f"/rank-events/{event}/certificate.pdf", f"{exam_dojo.path}/certificates.pdf"):
        details = assert_error(dojo.admin.get(path), 409, "missing_glyphs")
        assert details == {
            "missing_glyphs": ["\U00013000", "\U00013001"],
            "texts": ["\U00013000\U00013001 Sato"],
        }
    sheets = f"{exam_dojo.path}/candidates/{next(iter(exam_dojo.candidates().values()))['id']}/sheet.pdf"
    assert_error(dojo.admin.get(sheets), 409, "missing_glyphs")
    assert_error(dojo.admin.get(f"{exam_dojo.path}/examiners-list.pdf"), 409, "missing_glyphs")
    ok(dojo.admin.patch(f"/students/{exam_dojo.ready['id']}", {"first_name": "张骨"}))
    content = bytes(dojo.admin.get(f"/rank-events/{event}/certificate.pdf").getvalue())
    assert "NotoSerifSC" in typefaces_of(content)
    assert "张骨" in page_texts(content)[0]


def test_the_dojo_says_which_form_ambiguous_names_have(exam_dojo: ExamDojo) -> None:
    exam_dojo.pass_exam(exam_dojo.ready)
    dojo = exam_dojo.dojo
    event = exam_dojo.candidates()["Ready"]["rank_event"]
    ok(dojo.admin.patch(f"/students/{exam_dojo.ready['id']}", {"first_name": "骨", "last_name": "直"}))

    def typefaces() -> set[str]:
        content = bytes(dojo.admin.get(f"/rank-events/{event}/certificate.pdf").getvalue())
        return {name for name in typefaces_of(content) if name.startswith("Noto")}

    assert typefaces() == {"NotoSerifJP"}
    for setting, typeface in (
        ("simplified", "SC"),
        ("traditional", "TC"),
        ("korean", "KR"),
        ("japanese", "JP"),
    ):
        ok(dojo.admin.patch("/settings", {"chinese_characters": setting}))
        assert typefaces() == {f"NotoSerif{typeface}"}
    ok(dojo.admin.patch("/settings", {"chinese_characters": "", "timezone": "Asia/Shanghai"}))
    host_resolver.cache_clear()
    assert typefaces() == {"NotoSerifSC"}


def test_the_forms_of_the_setting_are_those_of_the_typefaces() -> None:
    assert set(ChineseCharacters.values) == set(get_args(HanForm))
