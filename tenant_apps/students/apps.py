from django.apps import AppConfig


class StudentsConfig(AppConfig):
    name = "tenant_apps.students"
    label = "students"

    def ready(self) -> None:
        """Register the personal data and the usage figures of this app, and follow the order of names in the dojo."""
        from tatami import clock, usage
        from tenant_apps.dojo.models import NameOrder
        from tenant_apps.dojo.services import name_order_changed
        from tenant_apps.students import merge_rules, privacy
        from tenant_apps.students.services import apply_name_order, count_students

        def rename(order: NameOrder, **_: object) -> None:
            apply_name_order(order, clock.now())

        name_order_changed.connect(rename, weak=False, dispatch_uid="students.name_order")
        privacy.register_students()
        merge_rules.register_rules()
        usage.register(count_students)
