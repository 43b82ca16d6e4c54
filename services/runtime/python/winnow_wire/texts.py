"""Texts that `corpus.encryption` has encrypted, and how they are told from others."""

import base64
import re

from .errors import WinnowError

_HEADER = b'{"alg":"dir","enc":"A256GCM","typ":"winnow-text-1"'
# What every encrypted text begins with (services/texts/envelope.ts): base64url of the header, as far as it does not depend on what follows.
_BEGIN = base64.urlsafe_b64encode(_HEADER[: len(_HEADER) // 3 * 3]).decode()
_FORM = re.compile(r'[\w-]+\.\.[\w-]{16}\.[\w-]*\.[\w-]{22}', re.ASCII)


def is_sealed(text: str) -> bool:
    """Whether a text is encrypted."""
    return text.startswith(_BEGIN) and _FORM.fullmatch(text) is not None


def refuse_sealed(doc: int, text: str) -> None:
    """Raises WinnowError CONFIGURATION for an encrypted text: nobody should train on ciphertext."""
    if is_sealed(text):
        hint = 'The reference trainer (winnow run trainer) and the ONNX influence worker read encrypted texts; programs in Python do not yet.'
        raise WinnowError('CONFIGURATION', f'the text of document {doc} is encrypted, and this program cannot read it', hint)
