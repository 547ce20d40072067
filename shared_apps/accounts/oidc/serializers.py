"""Requests and responses: the identity provider of a dojo, and a sign-in with it."""

import re
from typing import Any, Final

from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from rest_framework import serializers

from shared_apps.accounts.models import IdentityProvider
from shared_apps.accounts.oidc.settings import callback_url
from tatami.api.fields import PublicUrlField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer

DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}\Z")
CODE_CHALLENGE: Final = re.compile(r"\A[A-Za-z0-9_-]{43}\Z")
CODE_VERIFIER: Final = re.compile(r"\A[A-Za-z0-9._~-]{43,128}\Z")
PATH: Final = re.compile(r"/[\x21-\x22\x24-\x5b\x5d-\x7e]*\Z")
"""Printable ASCII without `#`, spaces and backslashes."""


class IssuerField(PublicUrlField):
    """The issuer of an OpenID provider: an HTTPS URL, exactly as the provider writes it."""

    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data)
        if "?" in url:
            raise serializers.ValidationError(gettext("An issuer has no query."))
        return url


class EmailDomainField(SingleLineField):
    """The domain of e-mail addresses, such as `example.com`."""

    def to_internal_value(self, data: Any) -> str:
        domain = super().to_internal_value(data).lower()
        if not DOMAIN.match(domain):
            raise serializers.ValidationError(gettext("This is not a domain, such as example.com."))
        return domain


class NewIdentityProviderSerializer(StrictSerializer):
    """The identity provider to set.

    Without `client_secret` the present one stays, if the issuer is the same; an empty one is for a public client.
    Without `email_domains` every verified address of a user is accepted.
    """

    issuer = IssuerField(max_length=500)
    client_id = SingleLineField(max_length=255)
    client_secret = SingleLineField(max_length=500, required=False, allow_blank=True, write_only=True)
    email_domains = serializers.ListField(
        child=EmailDomainField(max_length=253), required=False, max_length=50
    )
    is_enabled = serializers.BooleanField(required=False)


class IdentityProviderSerializer(StrictModelSerializer):
    """The identity provider. It never shows the client secret. Register `redirect_uri` at the provider.

    Users of another domain of the dojo need that domain registered, too.
    """

    has_client_secret = serializers.SerializerMethodField()
    redirect_uri = serializers.SerializerMethodField()
    email_domains = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = IdentityProvider
        fields = ("issuer", "client_id", "has_client_secret", "email_domains", "is_enabled", "redirect_uri")
        read_only_fields = fields

    def get_has_client_secret(self, provider: IdentityProvider) -> bool:
        return bool(provider.client_secret)

    def get_redirect_uri(self, _: IdentityProvider) -> str:
        return callback_url()


class BeginSerializer(StrictSerializer):
    """The query of the start: the client's PKCE challenge (S256), and a path of this host to return to."""

    code_challenge = serializers.RegexField(CODE_CHALLENGE)
    return_to = SingleLineField(max_length=500, required=False)

    def validate_return_to(self, value: str) -> str:
        if not PATH.match(value) or not url_has_allowed_host_and_scheme(value, None):
            raise serializers.ValidationError(gettext("This must be a path of this host, such as /sign-in."))
        return value


class RedeemSerializer(StrictSerializer):
    """The code of the return, and the verifier of the client's PKCE challenge."""

    code = SingleLineField(max_length=1000)
    code_verifier = serializers.RegexField(CODE_VERIFIER)
