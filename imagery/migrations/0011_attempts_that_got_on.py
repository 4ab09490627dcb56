"""Which attempt of a job stored something last: long jobs outlive any number of restarts that they get on between."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("imagery", "0010_scene_outline"),
    ]

    operations = [
        migrations.AddField(
            model_name=model,
            name="got_on_at",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                default=0,
                help_text="0: none stored anything yet.",
                verbose_name="last attempt that got on",
            ),
        )
        for model in ("ingestjob", "fillitem")
    ]
