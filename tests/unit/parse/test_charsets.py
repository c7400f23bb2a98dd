# ruff: noqa: RUF001  # letters of many scripts
from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from migrator.parse.charsets import decode


@pytest.mark.parametrize(
    ("content", "declared", "text"),
    [
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode("latin-1"), "iso-8859-1", "Grüße"),
        ("„quoted“ €5".encode("cp1252"), "iso-8859-1", "„quoted“ €5"),
        ("Grüße".encode(), "us-ascii", "Grüße"),
        ("Grüße".encode("cp1252"), "", "Grüße"),
        ("Grüße aus Österreich".encode(), "no-such-charset", "Grüße aus Österreich"),
        ("日本語".encode("iso2022_jp"), "", "日本語"),
        ("日本語のメール".encode("shift_jis"), "shift_jis", "日本語のメール"),
        ("镕基".encode("gb18030"), "gb2312", "镕基"),
        ("똠방각하".encode("cp949"), "euc-kr", "똠방각하"),
        ("text".encode("utf-16"), "utf-16", "text"),
        (b"Gr+APwA3w-e", "utf-7", "Grüße"),
        (b"plain", "base64", "plain"),
        (b"caf\xc3\xa9", "zip", "café"),
        (b"caf\xc3\xa9", "unicode_escape", "café"),
    ],
)
def test_the_declared_charset_counts_where_the_bytes_agree(content: bytes, declared: str, text: str) -> None:
    assert decode(content, declared) == text


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("Съешь же ещё этих мягких французских булок, да выпей чаю. Привет из Москвы!", "koi8-r"),
        ("Съешь же ещё этих мягких французских булок, да выпей чаю. Привет из Москвы!", "cp1251"),
        ("これは日本語で書かれた少し長いメールの本文です。よろしくお願いいたします。", "euc-jp"),
        ("这是一封用中文写的比较长的电子邮件，请您查收附件中的文件。谢谢！", "gb18030"),
        ("這是一封用繁體中文寫的比較長的電子郵件，請您查收附件中的檔案。謝謝！", "big5"),
        ("이것은 한국어로 작성된 조금 긴 전자 우편입니다. 첨부 파일을 확인해 주세요.", "euc-kr"),
        ("Αυτό είναι ένα μεγαλύτερο μήνυμα γραμμένο στα ελληνικά. Καλημέρα σας!", "iso-8859-7"),
    ],
)
def test_a_charset_that_nobody_declared_is_guessed(text: str, charset: str) -> None:
    assert decode(text.encode(charset)) == text


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("会议通知", "gbk"),
        ("付款通知", "gbk"),
        ("会议", "gbk"),
        ("회의 견적서", "euc-kr"),
        ("會議通知", "big5"),
        ("会議通知", "shift_jis"),
        ("привет", "koi8-r"),
        ("Привет", "cp1251"),
        ("Grüße", "cp1252"),
        ("élève", "cp1252"),
        ("niño", "cp1252"),
    ],
)
def test_four_characters_are_enough_where_most_are_not_ascii(text: str, charset: str) -> None:
    assert decode(text.encode(charset)) == text


@pytest.mark.parametrize(
    ("content", "nearby", "text"),
    [
        ("契約書".encode("euc-jp"), "euc-jp", "契約書"),
        ("订单确认".encode("gbk"), "gb2312", "订单确认"),
        ("şirket".encode("cp1254"), "iso-8859-9", "şirket"),
        ("Grüße".encode(), "koi8-r", "Grüße"),
        ("会议通知".encode("gbk"), "iso-8859-1", "会议通知"),
        ("Grüße".encode("cp1252"), "no-such", "Grüße"),
    ],
)
def test_what_is_declared_nearby_is_better_than_a_guess(content: bytes, nearby: str, text: str) -> None:
    assert decode(content, nearby=nearby) == text


@given(st.binary(max_size=300), st.text(max_size=20))
def test_whatever_the_bytes_and_the_charset_there_is_a_text(content: bytes, declared: str) -> None:
    assert isinstance(decode(content, declared), str)
