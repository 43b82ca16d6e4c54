"""Texts that ingest has cut into several documents: services/ingest/pieces.ts."""

ENDS = [end.encode() for end in ('\n\n', '\n\r\n', '\n', '. ', '。', '! ', '? ', ' ', '\u3000')]


def pieces_of(text: str, bytes_max: int) -> list[str]:
    """Pieces of at most `bytes_max` bytes of UTF-8 each, cut at the best place in the second half of each."""
    data, pieces, at = text.encode(), [], 0
    while len(data) - at > bytes_max:
        to = _cut_in(data, at + -(-bytes_max // 2), at + bytes_max)
        pieces.append(data[at:to].decode())
        at = to
    return [*pieces, data[at:].decode()]


def _cut_in(data: bytes, least: int, most: int) -> int:
    for end in ENDS:
        at = data.rfind(end, least - len(end), most)
        if at != -1:
            return at + len(end)
    # Never within a character: continuation bytes begin with the bits 10.
    while data[most] & 0xC0 == 0x80:
        most -= 1
    return most
