"""The handlers that everybody may have run, each with its reason.

A handler without `@authorize` is open to everybody, and has to stand here. Lists in other files beside this one whose
names end in `open_handlers.py` count too.
"""

OPEN = {
    "CreateUserHandler": "who registers has no account yet",
    "LoginHandler": "the password proves who asks",
    "RefreshTokensHandler": "the refresh token proves who asks",
    "LogoutHandler": "the refresh token proves who asks",
    "CreateAdminHandler": "only the command line and the first start send it, no endpoint",
    "SeedAdministratorHandler": "only the first start sends it, no endpoint",
}
