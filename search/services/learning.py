"""What a person lets the portal learn from what they do."""

from django.db import transaction

from rsportal.accounts.models import User
from search.models import LearningChoice


def learning_choose(*, user: User, for_me: bool, for_all: bool) -> LearningChoice:
    """Store whether what a person does has a say in their own rankings, and in other people's; both hold at once.

    Nothing is erased: switched on again, what is kept has its say again.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # One at a time: there may be no row to lock yet.
        choice = LearningChoice.objects.filter(user=user).first() or LearningChoice(user=user)
        choice.for_me, choice.for_all = for_me, for_all
        choice.full_clean(exclude=["user"])
        choice.save()
    return choice
