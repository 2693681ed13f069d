"""What a settings class is given, read: texts by the table of settings, and pydantic's complaints in our words."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from mintkey.errors import ConfigurationError
from mintkey.settings.fixed_keys import fixed_keys
from mintkey.settings.lookup import Found, find
from mintkey.settings.table import SETTINGS, variable_of

__all__ = ["VariablesSource", "is_empty", "plain", "read_texts", "refusals", "wrong_keys"]


class VariablesSource(PydanticBaseSettingsSource):
    """Our settings as variables say them, or the files that variables name.

    Args:
        settings_cls: The class of the settings.
        source: Knows the variables, from the environment or from a dotenv file.
    """

    def __init__(self, settings_cls: type[BaseSettings], source: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._source = source

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base's
        """What is found for a field, if it is one of ours."""
        source = self._source
        if field_name not in SETTINGS or not isinstance(source, EnvSettingsSource):
            return None, field_name, False
        environ = {name.upper(): text for name, text in source.env_vars.items()}
        return find(environ, variable_of(field_name, prefix=source.env_prefix)), field_name, False

    def __call__(self) -> dict[str, Any]:
        """What is found for all fields."""
        fields = self.settings_cls.model_fields.items()
        found = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in found.items() if value is not None}


def read_texts(given: Mapping[str, Any], problems: list[str], prefix: str) -> tuple[dict[str, Any], set[str]]:
    """Our settings as far as they are given as texts, read; and the names of those that cannot be."""
    read: dict[str, Any] = {}
    unread: set[str] = set()
    for name, setting in SETTINGS.items():
        found = _found(given.get(name), variable_of(name, prefix=prefix))
        if found is None:
            continue
        try:
            if found.problem is not None:
                raise ValueError(found.problem)  # noqa: TRY301 - one way for all that is wrong
            value = setting.read(found.text)
        except ValueError as error:
            unread.add(name)
            problems.append(f"{found.label} {error}")
        else:
            read[name] = SecretStr(value) if setting.is_secret else value
    return read, unread


def _found(value: object, variable: str) -> Found | None:
    """A text with where it came from; None: it is no text, but what pydantic makes something of, or nothing."""
    text = plain(value)
    if isinstance(text, str):
        return Found(variable, variable, text)
    return value if isinstance(value, Found) else None


def is_empty(name: str, value: object) -> bool:
    """Whether this is a setting of ours that says nothing, which is as good as not set."""
    text = plain(value)
    return name in SETTINGS and isinstance(text, str) and not text.strip()


def plain(value: Any) -> Any:
    """A value, without what hides it."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def refusals(error: ValidationError, prefix: str) -> Iterator[str]:
    """What pydantic says, without the values."""
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        yield f"{variable_of('.'.join(map(str, one['loc'])), prefix=prefix)}: {one['msg']}"


def wrong_keys(values: Mapping[str, Any], given: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """What is wrong with keys that do not rotate by themselves, as far as that can be said without reading a file."""
    if values["keys"] is not None:
        try:
            fixed_keys(
                values["keys"],
                active_kid=values["active_kid"],
                algorithm=values["algorithm"] if "algorithm" in given else None,
                prefix=prefix,
            )
        except ConfigurationError as error:
            yield str(error)
