"""Brings into the wheel what stands elsewhere in the checkout: the wire code and the published schemas."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FromCheckout(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == 'editable':
            return
        services = Path(self.root).parents[1]
        build_data['force_include'] |= {
            str(services / 'runtime/python/winnow_wire'): 'winnow_wire',
            str(services.parent / 'schemas/published'): 'winnow_wire/schemas',
        }
