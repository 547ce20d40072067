"""A dojo's files: in Django's default storage, all below the dojo's id."""

from uuid import UUID

from django.core.files.storage import Storage, default_storage


def remove_all(tenant_id: UUID) -> None:
    """Remove all files of a dojo. Twice changes nothing."""
    _remove(default_storage, str(tenant_id))


def _remove(storage: Storage, folder: str) -> None:
    try:
        folders, names = storage.listdir(folder)
    except FileNotFoundError:  # a bucket, which knows no folders, lists none instead
        return
    for name in names:
        storage.delete(f"{folder}/{name}")
    for inner in folders:
        _remove(storage, f"{folder}/{inner}")
    storage.delete(folder)
