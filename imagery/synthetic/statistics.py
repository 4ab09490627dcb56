"""How real image and text embeddings are distributed, in a few numbers (measured by ``bench/embedding_statistics.py``).

From three published CLIP models of remote sensing on an archive of 1,005 pictures in 19 classes. Rows are unit vectors;
"centred" means less the mean of all images (or texts). All variances are shares of the centred images' variance.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Statistics:
    """What the generator of ``imagery.synthetic.vectors`` is made of; angles as cosines, lengths of vectors."""

    image_mean: float
    """Length of the mean of unit image vectors: how narrow their cone is."""
    text_mean: float
    """Length of the mean of unit text vectors (each averaged over four prompts)."""
    means_cosine: float
    """Between both means: far below 1, the gap between texts and images."""
    between_classes: float
    """Share of the centred images' variance that lies between classes."""
    between_clusters: float
    """Share that lies between clusters of near-alike pictures within a class."""
    cluster_looseness: float
    """Standard deviation of the logarithm of how far the pictures of a cluster lie from its centre."""
    class_decay: float
    """The variance of the classes' centres falls like (i + class_knee)^-class_decay along its i-th direction."""
    class_knee: float
    picture_decay: float
    """The same for pictures around their centre."""
    picture_knee: float
    query_centre: float
    """Cosine between a centred text and the centre of what it asks for."""
    query_noise_shared: float
    """Share of the rest of a centred text that lies in directions in which images vary; else it lies anywhere."""


REAL: Final = Statistics(
    image_mean=0.795,
    text_mean=0.92,
    means_cosine=0.25,
    between_classes=0.57,
    between_clusters=0.17,
    cluster_looseness=0.25,
    class_decay=1.4,
    class_knee=2.0,
    picture_decay=1.5,
    picture_knee=8.0,
    query_centre=0.44,
    query_noise_shared=0.4,
)
"""The mean over the three models; what no average tells (clusters) was chosen so that as many synthetic pictures in as
many classes have the nearest neighbours of the real ones: cosines of .88, .93 and .97 (5th, 50th, 95th percentile) and
9 local dimensions."""
