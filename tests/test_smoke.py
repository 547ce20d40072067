def test_me_shows_the_caller(dojo):
    answer = dojo.admin.get("/me")
    assert answer.status_code == 200, answer.content
    assert answer.json()["role"] == "admin"
    assert answer.json()["tenant"]["slug"] == "aiki"


def test_superadmin_lists_dojos(platform):
    answer = platform.superadmin().get("/tenants")
    assert answer.status_code == 200, answer.content
    assert {one["slug"] for one in answer.json()["results"]} == {"aiki", "kendo"}
