"""Mutations of settings, addresses, names and discovery."""

MUTATIONS = {
    "proofs/core/test_left_out.py": [
        ("a handler that declares nothing", "unfinished", "issubclass(cls, HANDLERS)", "False"),
        ("a base of handlers", "is_base", "ABC in cls.__bases__", "False"),
        ("fields of no dataclass", "unfinished", "issubclass(cls, MESSAGES)", "False"),
        ("class variables are no fields", "_fields_of", "'ClassVar' not in str(annotation)", "True"),
        ("a hidden module", "_walk", "1", "2"),
    ],
    "proofs/core/test_bounds_of_settings.py": [
        (
            "a pooler before SQLite is taken",
            "Settings._check",
            "self.database_pooler and _scheme(self.database_url) == DRIVERS['sqlite']",
            "False",
        ),
        (
            "settings: no number is infinite",
            "Settings",
            (
                "SettingsConfigDict(env_file=ENV_FILE, env_ignore_empty=True, extra='ignore', frozen=True, "
                "hide_input_in_errors=True, allow_inf_nan=False)"
            ),
            (
                "SettingsConfigDict(env_file=ENV_FILE, env_ignore_empty=True, extra='ignore', frozen=True, "
                "hide_input_in_errors=True)"
            ),
        ),
        (
            "settings: bodies have a limit",
            "Settings",
            "Field(default=1024 * 1024, ge=1, le=1024 ** 3)",
            "Field(default=1024 * 1024, ge=1)",
        ),
        (
            "settings: access tokens do not last for years",
            "Settings",
            "Field(default=15 * 60, ge=1, le=DAY_SECONDS)",
            "Field(default=15 * 60, ge=1, le=10 ** 9)",
        ),
        (
            "settings: a login is as long as its tokens",
            "Settings._check",
            "self.refresh_token_seconds < self.access_token_seconds",
            "False",
        ),
        ("settings: hashes together have a limit", "Settings._check", "MOST_PASSWORD_MEMORY_KIB", "2 ** 60"),
        ("settings: production is looked at", "Settings._check", "self._check_production()", "pass"),
        ("settings: any origin is none", "Settings._check_production", "'*'", "'**'"),
        (
            "SQLITE_IN_PRODUCTION",
            "Settings._check_production",
            "_scheme(self.database_url) == DRIVERS['sqlite'] and (not self.sqlite_in_production)",
            "_scheme(self.database_url) == DRIVERS['sqlite']",
        ),
        (
            "settings: SQLite is to be said",
            "Settings._check_production",
            "_scheme(self.database_url) == DRIVERS['sqlite'] and (not self.sqlite_in_production)",
            "False",
        ),
        ("settings: origins are looked at", "Settings._with_origins", "check_origin(origin)", "pass"),
        ("settings: options are looked at", "Settings._with_driver", "check_database_url(url)", "pass"),
        ("settings: addresses are looked at", "Settings._with_driver", "check_address(url)", "pass"),
        ("settings: a secret is estimated", "_check_secret", "estimated_bits(secret) < ENOUGH_BITS", "False"),
        ("settings: a slip in the file is refused", "checked", "misspelt_in_file(kind)", "()"),
        (
            "settings: usual ports are no part of an origin",
            "check_origin",
            "found['port'] == PORT_OF_SCHEME.get(found['scheme'])",
            "False",
        ),
        ("settings: ports exist", "check_address", "1 <= int(port[:6]) <= HIGHEST_PORT", "True"),
        (
            "settings: spaces around a URL",
            "check_address",
            "url != url.strip() or not url.isprintable() or any((' ' in host for host in hosts))",
            "not url.isprintable() or ' ' in hosts",
        ),
        (
            "secrets: repeated pieces",
            "_length_of_piece",
            "piece not in KNOWN and text.find(piece, 0, place + length) < 0",
            "piece not in KNOWN",
        ),
        (
            "secrets: known pieces",
            "_length_of_piece",
            "piece not in KNOWN and text.find(piece, 0, place + length) < 0",
            "text.find(piece, 0, place + length) < 0",
        ),
        ("secrets: backwards", "guessable", "KNOWN += KNOWN[::-1]", ""),
        (
            "secrets: interleaved",
            "estimated_bits",
            (
                "min(_bits_of(text), _bits_of(text[::2]) + _bits_of(text[1::2]), _bits_of(RUN.sub('\\\\1', text)) "
                "+ PIECE_BITS)"
            ),
            "min(_bits_of(text), _bits_of(RUN.sub('\\\\1', text)) + PIECE_BITS)",
        ),
        (
            "secrets: runs",
            "estimated_bits",
            (
                "min(_bits_of(text), _bits_of(text[::2]) + _bits_of(text[1::2]), _bits_of(RUN.sub('\\\\1', text)) "
                "+ PIECE_BITS)"
            ),
            "min(_bits_of(text), _bits_of(text[::2]) + _bits_of(text[1::2]))",
        ),
        ("secrets: sentences", "estimated_bits", "SENTENCE.fullmatch(spaced)", "False"),
        ("secrets: capitals", "estimated_bits", "CAMEL.sub(' ', secret)", "secret"),
        ("secrets: placeholders", "estimated_bits", "PLACEHOLDER.fullmatch(secret)", "False"),
        ("secrets: published", "estimated_bits", "key in text", "False"),
        ("secrets: long ones", "estimated_bits", "secret.strip()[:LONGEST_LOOKED_AT]", "secret.strip()"),
    ],
    "proofs/core/test_identity.py": [
        (
            "identity/the name of whatever service is installed",
            "installed_as",
            "distribution is not None and _is_of(distribution, APP)",
            "distribution is not None",
        ),
        (
            "identity/a name as the distribution writes it",
            "installed_as",
            "re.sub('[-_.]+', '-', distribution.name).lower()",
            "distribution.name",
        ),
        (
            "identity/production is nobody",
            "Settings._with_name",
            "name in ('', UNNAMED) and others.data.get('environment') == 'production'",
            "False",
        ),
        (
            "identity/a name that not everybody takes",
            "Settings._with_name",
            "len(name) > LONGEST_SERVICE_NAME or not SERVICE_NAME.fullmatch(name)",
            "not SERVICE_NAME.match(name)",
        ),
        (
            "identity/one group for all services",
            "ExchangeSettings",
            "Field(default_factory=by_service_name, pattern=NAME_AT_A_BROKER)",
            "Field(default='app', pattern=NAME_AT_A_BROKER)",
        ),
        (
            "identity/one prefix for all services",
            "RedisSettings",
            "Field(default_factory=by_service_name, min_length=1)",
            "Field(default='app', min_length=1)",
        ),
    ],
}
