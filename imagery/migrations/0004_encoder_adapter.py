"""The matrix of an encoder's adapter, apart from its row."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imagery", "0003_encoder_lifecycle")]

    operations = [
        migrations.CreateModel(
            name="EncoderAdapter",
            fields=[
                (
                    "encoder",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="imagery.encoder",
                        verbose_name="encoder",
                    ),
                ),
                ("checksum", models.CharField(max_length=16, verbose_name="checksum")),
                ("matrix", models.BinaryField(verbose_name="matrix")),
            ],
            options={"verbose_name": "encoder adapter", "verbose_name_plural": "encoder adapters"},
        ),
    ]
