from django.db import migrations


def copy_languages(apps, schema_editor):
    """Copy the language of each dojo from its settings, each in a transaction of its own: 10,000 schemas need no more
    locks than one."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, schema_name FROM public.tenants_tenant "
            "WHERE to_regclass(format('%I.dojo_dojosettings', schema_name)) IS NOT NULL"
        )
        for tenant, schema in cursor.fetchall():
            table = f'"{schema}".dojo_dojosettings'
            cursor.execute(
                f"UPDATE public.tenants_tenant SET language = own.language FROM {table} own "
                "WHERE tenants_tenant.id = %s AND tenants_tenant.language <> own.language",
                [tenant],
            )


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('tenants', '0010_add_language'),
    ]

    operations = [migrations.RunPython(copy_languages, migrations.RunPython.noop)]
