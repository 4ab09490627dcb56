"""Several people who want the same name at the same moment."""

import pytest
from django.test import Client
from django.urls import reverse

from rsportal.accounts.models import User
from tests.threads import THREADS, at_once


@pytest.mark.django_db(transaction=True)
def test_one_gets_the_name_and_the_others_get_their_form_back(settings):
    settings.SIGNUP_OPEN = True
    password = "correct-horse-battery"
    form = {"username": "Ada", "email": "ada@example.org", "password1": password, "password2": password}
    answers: list[int] = []
    errors = at_once(lambda: answers.append(Client().post(reverse("signup"), form).status_code))
    assert errors == []
    assert sorted(answers) == [200] * (THREADS - 1) + [302]
    assert User.objects.count() == 1
