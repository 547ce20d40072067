"""The files of a dojo: in Django's default storage, in a folder named for the dojo's id."""

from uuid import UUID

from django.core.files.storage import Storage, default_storage


def delete_tenant_files(tenant_id: UUID) -> None:
    """Delete all files of a dojo. Running it again changes nothing."""
    _delete_folder(default_storage, str(tenant_id))


def _delete_folder(storage: Storage, folder: str) -> None:
    try:
        folders, names = storage.listdir(folder)
    except FileNotFoundError:  # object storage has no folders and returns an empty list instead
        return
    for name in names:
        storage.delete(f"{folder}/{name}")
    for inner in folders:
        _delete_folder(storage, f"{folder}/{inner}")
    storage.delete(folder)
