"""Why a sign-in with an identity provider is refused. `details.reason` has the particular rule."""

from tatami.errors import DomainError, ServiceUnavailable


class IdentityProviderNotConfigured(DomainError):
    """This dojo has no identity provider."""

    code = "identity_provider_not_configured"
    status = 404


class IdentityProviderUnavailable(ServiceUnavailable):
    """The identity provider does not answer as it should. Try again shortly, or sign in with your password."""

    code = "identity_provider_unavailable"


class IdentityProviderRefused(DomainError):
    """The identity provider has refused this sign-in."""

    code = "identity_provider_refused"
    status = 401


class SignInStateInvalid(DomainError):
    """This sign-in was begun in another browser, has expired, or was completed before. Begin again."""

    code = "sign_in_state_invalid"
    status = 400


class IdentityTokenInvalid(DomainError):
    """What the identity provider has sent is not valid for this sign-in."""

    code = "identity_token_invalid"
    status = 401

    def __init__(self, reason: str) -> None:
        super().__init__(details={"reason": reason})


class IdentityNotAccepted(DomainError):
    """Your account at the identity provider does not belong to a user here. Ask an admin."""

    code = "identity_not_accepted"
    status = 403

    def __init__(self, reason: str) -> None:
        super().__init__(details={"reason": reason})
