"""A service from `MINTKEY_*`: environment variables, dotenv files and mounted secrets, through pydantic-settings."""

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Self, cast

from mintkey.cache import VerificationCache
from mintkey.clock import Clock
from mintkey.errors import ConfigurationError, MissingExtraError
from mintkey.events import Hook
from mintkey.keys.base import Algorithm, IKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.sealing import Sealer
from mintkey.places import place_of, replay_store_of
from mintkey.replay.base import ReplayStore
from mintkey.service import TokenService
from mintkey.settings import table
from mintkey.settings.contradictions import contradictions
from mintkey.settings.fixed_keys import fixed_keys
from mintkey.settings.spelling import misspelt
from mintkey.settings.table import SETTINGS
from mintkey.settings.texts import seal_keys_in

try:
    from pydantic import Field, ModelWrapValidatorHandler, SecretStr, ValidationError, model_validator
    from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

    from mintkey.integrations.settings_reading import (
        VariablesSource,
        is_empty,
        plain,
        read_texts,
        refusals,
        wrong_keys,
    )
except ImportError as _error:
    raise MissingExtraError("settings need pydantic-settings: pip install 'mintkey[settings]'") from _error

__all__ = ["MintkeySettings"]

_log = logging.getLogger("mintkey.settings")


class MintkeySettings(BaseSettings):
    """What an operator set in `MINTKEY_*`, checked as a whole, and the service that it describes.

    A variable wins over a line in a dotenv file, and that over a file in a directory of secrets; what the code says
    wins over all three. A value may also lie in a file: `MINTKEY_SEAL_KEYS_FILE` names one that holds what
    `MINTKEY_SEAL_KEYS` would, and so does every other variable with `_FILE` behind its name. Durations are written as
    `90s`, `10m`, `1h30m` or `7d`. The command line `mintkey` reads the same variables, and `mintkey doctor` shows them.

    Where keys are is said by `store`, the URL of a place for a ring that rotates by itself, or by `keys`: keys that
    their operator rotates. With both, the keys are those and the store keeps the marks of spent and revoked tokens;
    with `keys` alone there is no store, so there are no tokens for single use.

    Derive from it to read from a dotenv file or from mounted secrets, to have another prefix, or to add settings of
    your own; what a model validator of yours refuses stays pydantic's error. Settings cannot be changed afterwards.
    Making them reads files, so do it before the event loop starts.

    Attributes:
        store: As for `TokenService.from_url`; it may hold a password.
        ring: The name of the key ring in the store.
        seal_keys: The keys that seal private keys at rest, with commas: the first seals, all open.
        keys: A JWK Set, a JWK, PEM keys (line breaks may be escaped or gone, or the whole base64-encoded), or the path
            of a file or directory of such; see `EnvKeyProvider`.
        active_kid: Which of these keys signs.
        issuer: The `iss` of every token.
        audience: The `aud` for your purposes: `LOGIN.replace(audience=settings.audience)` refuses an empty one.
        lifetime: How long tokens live, for you to pass on; None: as their purposes say.
        algorithm: What new keys are for, and those in `keys` that do not say so themselves.
        rotate_every: As `RotationPolicy.every`; None, in a variable `never`: never by time.
        max_mints: As `RotationPolicy.max_mints`.
        previous_ttl: As `RotationPolicy.previous_ttl`.
        publish_ahead: As `RotationPolicy.publish_ahead`.
        refresh_interval: How old a process's view of the ring may become.
        outage_tolerance: How long signing and verifying go on while the store is away.
        max_clock_skew: How far the clocks of processes and verifiers may differ.

    Raises:
        ConfigurationError: A value cannot be read, one is missing, or some do not go together; all problems at once,
            naming variables and never what they say (`configuration`).

    Example:
        ```python
        class Settings(MintkeySettings):
            model_config = SettingsConfigDict(env_file=".env", secrets_dir="/run/secrets")

        settings = Settings()
        async with settings.token_service() as tokens:
            token = await tokens.mint(LOGIN.replace(audience=settings.audience), subject="20")
        ```
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=table.PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    store: SecretStr | None = Field(default=None, description=table.STORE.about)
    ring: str = Field(default=table.RING.default, description=table.RING.about)
    seal_keys: SecretStr | None = Field(default=None, description=table.SEAL_KEYS.about)
    keys: SecretStr | None = Field(default=None, description=table.KEYS.about)
    active_kid: str | None = Field(default=None, description=table.ACTIVE_KID.about)
    issuer: str = Field(default=table.ISSUER.default, description=table.ISSUER.about)
    # NoDecode: pydantic-settings would take a tuple for JSON.
    audience: Annotated[tuple[str, ...], NoDecode] = Field(
        default=table.AUDIENCE.default, description=table.AUDIENCE.about
    )
    lifetime: timedelta | None = Field(default=table.LIFETIME.default, description=table.LIFETIME.about)
    algorithm: Algorithm = Field(default=table.ALGORITHM.default, description=table.ALGORITHM.about)
    rotate_every: timedelta | None = Field(default=table.ROTATE_EVERY.default, description=table.ROTATE_EVERY.about)
    max_mints: int | None = Field(default=table.MAX_MINTS.default, description=table.MAX_MINTS.about)
    previous_ttl: timedelta = Field(default=table.PREVIOUS_TTL.default, description=table.PREVIOUS_TTL.about)
    publish_ahead: timedelta = Field(default=table.PUBLISH_AHEAD.default, description=table.PUBLISH_AHEAD.about)
    refresh_interval: timedelta = Field(
        default=table.REFRESH_INTERVAL.default, description=table.REFRESH_INTERVAL.about
    )
    outage_tolerance: timedelta = Field(
        default=table.OUTAGE_TOLERANCE.default, description=table.OUTAGE_TOLERANCE.about
    )
    max_clock_skew: timedelta = Field(default=table.MAX_CLOCK_SKEW.default, description=table.MAX_CLOCK_SKEW.about)

    @property
    def policy(self) -> RotationPolicy:
        """When the keys of the ring rotate.

        Example:
            >>> MintkeySettings(issuer="https://myapp.example", store=SecretStr("memory://")).policy.every
            datetime.timedelta(days=30)
        """
        return RotationPolicy(
            every=self.rotate_every,
            max_mints=self.max_mints,
            previous_ttl=self.previous_ttl,
            publish_ahead=self.publish_ahead,
        )

    @property
    def sealer(self) -> Sealer | None:
        """What seals private keys at rest; None: nothing does."""
        return None if self.seal_keys is None else Sealer(seal_keys_in(self.seal_keys.get_secret_value()))

    def token_service(
        self, *, clock: Clock | None = None, hooks: Sequence[Hook] = (), cache: VerificationCache | None = None
    ) -> TokenService:
        """The service that the settings describe; nothing is opened yet, and it closes what was built for it.

        Args:
            clock: As for `TokenService`.
            hooks: As for `TokenService`.
            cache: As for `TokenService`.

        Raises:
            ConfigurationError: The URL of the store has a mistake (`configuration`).
            MissingExtraError: The store needs an extra that is not installed (`extra_missing`).

        Example:
            ```python
            app = FastAPI(lifespan=lifespan(MintkeySettings().token_service()))
            ```
        """
        keys, replay = self.backends(clock=clock)
        return TokenService(issuer=self.issuer, keys=keys, replay=replay, clock=clock, hooks=hooks, cache=cache)

    def backends(self, *, clock: Clock | None = None) -> tuple[IKeyProvider, ReplayStore | None]:
        """The keys and the marks that the settings describe, for those who build more than one service on them.

        Args:
            clock: Where time comes from; by default the machine's.

        Raises:
            ConfigurationError: As for `token_service` (`configuration`).
            MissingExtraError: As for `token_service` (`extra_missing`).

        Example:
            ```python
            keys, replay = settings.backends()
            ours = TokenService(issuer="https://myapp.example", keys=keys, replay=replay)
            theirs = TokenService(issuer="https://partner.example", keys=keys, replay=replay)
            ```
        """
        store = plain(self.store)
        if self.keys is not None:
            algorithm = self.algorithm if "algorithm" in self.model_fields_set else None
            keys = fixed_keys(
                self.keys.get_secret_value(),
                active_kid=self.active_kid,
                algorithm=algorithm,
                prefix=self.model_config.get("env_prefix", ""),
                clock=clock,
            )
            return keys, None if store is None else replay_store_of(store, clock=clock)
        return place_of(
            store or "",
            ring=self.ring,
            algorithm=self.algorithm,
            policy=self.policy,
            sealer=self.sealer,
            clock=clock,
            refresh_interval=self.refresh_interval,
            outage_tolerance=self.outage_tolerance,
            max_clock_skew=self.max_clock_skew,
        )

    def effective(self) -> dict[str, str]:
        """Every setting by its name, for people, without anything secret: for a line in the log when a process starts.

        Example:
            >>> url, seal_key = SecretStr("redis://:hunter2@cache"), SecretStr(Sealer.generate_key())
            >>> effective = MintkeySettings(issuer="i", store=url, seal_keys=seal_key).effective()
            >>> effective["store"], effective["seal_keys"]
            ('redis://:***@cache', 'set (1 key)')
        """
        return {name: setting.show(plain(getattr(self, name))) for name, setting in SETTINGS.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, the first wins; before variables and dotenv files the files that they name."""
        return (
            init_settings,
            VariablesSource(settings_cls, env_settings),
            env_settings,
            VariablesSource(settings_cls, dotenv_settings),
            dotenv_settings,
            file_secret_settings,
        )

    @model_validator(mode="wrap")
    @classmethod
    def _all_at_once(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Read texts by the table, let pydantic look at the rest, then compare; whatever is wrong is said together."""
        if not isinstance(data, Mapping):
            return handler(data)
        prefix = cls.model_config.get("env_prefix", "")
        problems: list[str] = []
        given = {name: value for name, value in cast("Mapping[str, Any]", data).items() if not is_empty(name, value)}
        read, unread = read_texts(given, problems, prefix)
        made: Self | None = None
        try:
            made = handler({name: value for name, value in given.items() if name not in unread} | read)
        except ValidationError as error:
            # What we did not read ourselves, pydantic may have refused or taken for something else.
            unread |= (given.keys() - read.keys()) | {str(one["loc"][0]) for one in error.errors()}
            problems += refusals(error, prefix)
        # Outside of the block above: an error remembers the one that was being handled, and pydantic's the values.
        values = cls._values(made, read, unread)
        problems += contradictions(values, given=given, unread=unread, prefix=prefix)
        problems += wrong_keys(values, given, prefix)
        if made is None or problems:
            raise ConfigurationError.of(problems)
        for sentence in misspelt(os.environ, known=cls.model_fields, prefix=prefix):
            _log.warning("%s", sentence)
        return made

    @classmethod
    def _values(cls, made: Self | None, read: Mapping[str, Any], unread: Collection[str]) -> dict[str, Any]:
        """Every setting of ours, secrets in the open; the library's default for what cannot be read."""
        values: dict[str, Any] = {}
        for name, setting in SETTINGS.items():
            if name in unread:
                values[name] = setting.default
            elif made is not None:
                values[name] = plain(getattr(made, name))
            else:
                values[name] = plain(read.get(name, cls.model_fields[name].default))
        return values
