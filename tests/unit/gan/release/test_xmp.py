"""XMP packets: ours as other programs write and read them, and no harm from what is none."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gan.data.pixels.png import encode_pngs, png_chunk
from gan.release.xmp import (
    TRAINED_ALGORITHMIC_MEDIA,
    SourceMark,
    find_packet,
    read_packet,
    xmp_chunk,
    xmp_packet,
)

FROZEN = (
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    b"Iptc4xmpExt:DigitalSourceType="
    b'"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia" xmp:CreatorTool="g/1"/></rdf:RDF>'
)
OTHERS = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:format>image/png</dc:format>
</rdf:Description><rdf:Description rdf:about="" xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:p="http://ns.adobe.com/xap/1.0/">{}</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
PIXELS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(1, 2, 4, 3)


def png_with(*chunks):
    (png,) = encode_pngs(PIXELS, b"".join(chunks))
    return png


def test_the_bytes_are_frozen_and_few():
    # Releases are made again years later, byte for byte.
    assert xmp_packet(TRAINED_ALGORITHMIC_MEDIA, "g/1") == FROZEN
    assert len(xmp_packet(TRAINED_ALGORITHMIC_MEDIA, "ganflow gan-generator/123")) < 360


@given(st.text(), st.text())
@example('"><evil/>&', "\x00\ud800 \uffff")
@example("\t\n\r", "'\"")
def test_any_words_come_back_and_a_general_parser_finds_them(source_type, tool):
    packet = xmp_packet(source_type, tool)
    found = read_packet(packet)
    root = ET.fromstring(packet)
    attributes = dict(root[0].attrib)
    assert len(root) == 1
    assert len(root[0]) == 0
    assert attributes["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"] == found.source_type
    assert attributes["{http://ns.adobe.com/xap/1.0/}CreatorTool"] == found.creator_tool
    if all(each.isprintable() for each in (source_type, tool)):
        assert found == SourceMark(source_type, tool)


@pytest.mark.parametrize(
    "element",
    [
        "<e:DigitalSourceType>URI</e:DigitalSourceType>",
        "<e:DigitalSourceType>\n URI\n</e:DigitalSourceType><p:CreatorTool/>",
        '<e:DigitalSourceType rdf:resource="URI"/>',
    ],
)
def test_packets_of_other_programs_are_read(element):
    packet = OTHERS.format(element.replace("URI", TRAINED_ALGORITHMIC_MEDIA)).encode()
    assert read_packet(packet).source_type == TRAINED_ALGORITHMIC_MEDIA


def test_a_packet_that_says_nothing_of_the_source_is_no_mark():
    assert read_packet(OTHERS.format("<p:CreatorTool>x</p:CreatorTool>").encode()) is None
    nested = "<e:Other><e:DigitalSourceType><rdf:Alt>URI</rdf:Alt></e:DigitalSourceType></e:Other>"
    assert read_packet(OTHERS.format(nested).encode()) is None
    foreign = OTHERS.format("<e:DigitalSourceType>URI</e:DigitalSourceType>").replace("iptc.org/std", "evil.example")
    assert read_packet(foreign.encode()) is None


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
    ],
)
def test_no_entity_is_ever_declared(prolog):
    packet = f"{prolog}<r xmlns:e='http://iptc.org/std/Iptc4xmpExt/2008-02-29/'><e:DigitalSourceType>&a;&b;"
    with pytest.raises(ValueError, match="declares a document type"):
        read_packet((packet + "</e:DigitalSourceType></r>").encode())


def test_a_property_that_is_said_twice_is_refused():
    twice = "<e:DigitalSourceType>a</e:DigitalSourceType>" * 2
    with pytest.raises(ValueError, match="DigitalSourceType twice"):
        read_packet(OTHERS.format(twice).encode())


@given(st.binary() | st.builds(lambda cut, more: FROZEN[:cut] + more, st.integers(0, len(FROZEN)), st.binary()))
def test_any_bytes_are_a_mark_or_none_or_a_value_error(packet):
    try:
        found = read_packet(packet)
    except ValueError as error:
        assert len(str(error)) < 200  # noqa: PT017
    else:
        assert found is None or found.source_type


def test_deep_nesting_is_no_crash():
    assert read_packet(b"<a>" * 9000 + b"</a>" * 9000) is None


def test_the_packet_of_a_png_is_found_wherever_it_stands():
    assert find_packet(png_with()) is None
    assert find_packet(png_with(png_chunk(b"tEXt", b"Title\0x"), xmp_chunk(b"<a/>"))) == b"<a/>"
    assert find_packet(png_with(png_chunk(b"iTXt", b"Other\0\0\0\0\0x"))) is None


@pytest.mark.parametrize(
    ("chunks", "sentence"),
    [
        ([xmp_chunk(b"<a/>"), xmp_chunk(b"<a/>")], "two XMP packets"),
        ([png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0x\x9c")], "compressed"),
        ([png_chunk(b"iTXt", b"XML:com.adobe.xmp\0")], "compressed"),
        ([xmp_chunk(bytes(2**16))], "too large"),
    ],
)
def test_packets_that_are_not_read(chunks, sentence):
    with pytest.raises(ValueError, match=sentence):
        find_packet(png_with(*chunks))
