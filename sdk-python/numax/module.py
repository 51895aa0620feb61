"""About this module."""

from __future__ import annotations

from wit_world.imports import module_info as _info


def module_id() -> str:
    """The id under which this module runs here."""
    return str(_info.id())


def grants() -> list[str]:
    """The grants of its policy, as the policy writes them."""
    return list(_info.grants())
