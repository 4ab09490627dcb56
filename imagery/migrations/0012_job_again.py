"""Jobs that encode a scene again, with another recipe or rule: new scenes go before them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("imagery", "0011_attempts_that_got_on"),
    ]

    operations = [
        migrations.AddField(
            model_name="ingestjob",
            name="again",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="It encodes a scene that was ready before, with its collection's present recipe and windows.",
                verbose_name="once more",
            ),
        ),
        migrations.AddIndex(
            model_name="ingestjob",
            index=models.Index(
                condition=models.Q(("again", False), ("state", "queued")), fields=["created_at"], name="job_new_waits"
            ),
        ),
        migrations.AddIndex(
            model_name="ingestjob",
            index=models.Index(
                condition=models.Q(("again", True)), fields=["collection", "-created_at"], name="job_again"
            ),
        ),
    ]
