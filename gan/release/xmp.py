"""The XMP packet by which an image file says where it comes from: written for ours, read from anyone's.

Reference: IPTC Photo Metadata Standard, Digital Source Type; ISO 16684-1 (XMP), and its part 3 for PNG's iTXt chunk.
"""

import re
from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from gan.data.pixels.png import png_chunk, read_chunks

TRAINED_ALGORITHMIC_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's word for media that a trained model has made."""

SOURCE_TYPE = "Iptc4xmpExt:DigitalSourceType"
CREATOR_TOOL = "xmp:CreatorTool"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PREFIXES = {"Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "xmp": "http://ns.adobe.com/xap/1.0/"}
_PROPERTIES = {
    f"{_PREFIXES['Iptc4xmpExt']} DigitalSourceType": SOURCE_TYPE,
    f"{_PREFIXES['xmp']} CreatorTool": CREATOR_TOOL,
}
# Uncompressed, without a language and a translated keyword.
_KEYWORD = b"XML:com.adobe.xmp\0"
_PLAIN = _KEYWORD + b"\0\0\0\0"
_MOST_BYTES = 2**16  # of a packet of anyone's
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class SourceMark:
    """What an image says of where it comes from.

    Attributes:
        source_type: IPTC's address of a kind of source.
        creator_tool: what made it; None where it does not say.
    """

    source_type: str
    creator_tool: str | None


def xmp_packet(source_type: str, creator_tool: str) -> bytes:
    """Return an XMP packet of about 350 bytes that says the two, equal words giving equal bytes.

    It has neither the wrapper that is for files which are searched for packets, nor padding.
    """
    spaces = "".join(f' xmlns:{prefix}="{space}"' for prefix, space in _PREFIXES.items())
    said = {SOURCE_TYPE: source_type, CREATOR_TOOL: creator_tool}
    properties = "".join(f" {name}={quoteattr(_NOT_XML.sub('�', value))}" for name, value in said.items())
    return f'<rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about=""{spaces}{properties}/></rdf:RDF>'.encode()


def xmp_chunk(packet: bytes) -> bytes:
    """Return PNG's chunk for an XMP packet."""
    return png_chunk(b"iTXt", _PLAIN + packet)


def find_packet(png: bytes) -> bytes | None:
    """Return the XMP packet of a PNG, None where it has none.

    Raises:
        ValueError: not a PNG, a broken one, two packets, or one that is compressed or larger than 64 KiB.
    """
    bodies = [body for name, body in read_chunks(png) if name == b"iTXt" and body.startswith(_KEYWORD)]
    if not bodies:
        return None
    if len(bodies) > 1:
        raise ValueError("a PNG image with two XMP packets")
    if not bodies[0].startswith(_PLAIN) or len(bodies[0]) > _MOST_BYTES:
        raise ValueError("a PNG image whose XMP packet is compressed, in a language, or too large")
    return bodies[0][len(_PLAIN) :]


def read_packet(packet: bytes) -> SourceMark | None:
    """Return what an XMP packet of anyone's says of the source, None where it says nothing of it.

    Properties are read as attributes, as elements with a text, and as elements that name a resource. Declarations of a
    document type, and so of entities, are refused: nothing is fetched, and nothing grows.

    Raises:
        ValueError: not XML, or XML with such a declaration, or that says a property twice.
    """
    reader = _Reader()
    try:
        reader.read(packet)
    except expat.ExpatError as error:
        raise ValueError(f"an XMP packet that is not XML ({expat.ErrorString(error.code)})") from None
    if SOURCE_TYPE not in reader.found:
        return None
    return SourceMark(reader.found[SOURCE_TYPE], reader.found.get(CREATOR_TOOL))


class _Reader:
    """Collects the properties that `_PROPERTIES` names, wherever a description in the packet has them."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._open: str | None = None  # the property whose text is being read
        self._text: list[str] = []

    def read(self, packet: bytes) -> None:
        parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.Parse(packet, True)

    def _refuse(self, *declared: object) -> None:
        raise ValueError("an XMP packet that declares a document type")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open = _PROPERTIES.get(name)
        self._text.clear()
        if name == f"{_RDF} Description":
            for key in _PROPERTIES.keys() & attributes.keys():
                self._say(_PROPERTIES[key], attributes[key])
        elif self._open and (resource := attributes.get(f"{_RDF} resource")) is not None:
            self._say(self._open, resource)
            self._open = None

    def _end(self, name: str) -> None:
        if self._open and _PROPERTIES.get(name) == self._open:
            self._say(self._open, "".join(self._text).strip())
        self._open = None

    def _say(self, name: str, value: str) -> None:
        if name in self.found:
            raise ValueError(f"an XMP packet that says {name} twice")
        self.found[name] = value
