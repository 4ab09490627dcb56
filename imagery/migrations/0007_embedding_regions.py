"""Room for the vectors of a tile's quarters, out of the row: a scan of the vectors must not read them."""

from django.db import migrations, models

_APART = "ALTER TABLE imagery_embedding ALTER COLUMN regions SET STORAGE EXTERNAL"


class Migration(migrations.Migration):
    dependencies = [("imagery", "0006_archive_changes")]

    operations = [
        migrations.AddField(
            model_name="embedding",
            name="regions",
            field=models.BinaryField(editable=False, null=True),
        ),
        migrations.RunSQL(_APART, migrations.RunSQL.noop),
    ]
