"""What the JSON schema finds wrong with a definition, in our own words."""

from typing import Any, Final

from jsonschema import ValidationError

from tenant_apps.ranks.definition_places import Found, Place, mapping
from tenant_apps.ranks.definition_schema import validator


def faults_of_form(document: object) -> Found:
    for error in validator().iter_errors(document):
        place: Place = tuple(error.absolute_path)
        if error.validator == "required":
            for name in _missing(error):
                yield (*place, name), "is required"
        elif error.validator == "additionalProperties":
            for name in sorted(set(mapping(error.instance)) - set(mapping(error.schema)["properties"])):
                yield (*place, name), "is not a known field"
        else:
            yield place, _message(error)


def _missing(error: ValidationError) -> list[str]:
    required: Any = error.validator_value
    return [str(name) for name in required if name not in mapping(error.instance)]


_IN_OUR_WORDS: Final = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "minItems": "must have at least {}",
    "maxItems": "must have at most {}",
    "minLength": "must not be empty",
    "maxLength": "must have at most {} characters",
    "const": "must be {}",
}

_TYPE_NAMES: Final = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


def _message(error: ValidationError) -> str:
    """In our own words: jsonschema's repeat the value, which may be a megabyte."""
    limit: Any = error.validator_value
    match error.validator:
        case "type":
            names = [limit] if isinstance(limit, str) else limit
            return "must be " + " or ".join(_TYPE_NAMES[name] for name in names)
        case "enum":
            return "must be one of: " + ", ".join(limit)
        case "pattern":
            return f"must be {mapping(error.schema).get('description', 'more than blanks')}"
        case other:
            return _IN_OUR_WORDS.get(str(other), "is not valid").format(limit)
