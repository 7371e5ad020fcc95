"""What is told of a checkpoint that was scored beside training."""

from gan.evaluation.watch import Watched
from gan.metrics.evaluation import Metric
from gan.metrics.variety import Variety
from tasks.validation import collapses, watched_metrics


def watched(**ratios):
    variety = {int(label.removeprefix("class_")): Variety(ratio, 100, 90) for label, ratio in ratios.items()}
    return Watched(Metric(value=0.05, low=0.04, high=0.06), variety)


def test_the_narrowest_class_is_logged_beside_the_kid():
    found = watched_metrics(watched(class_0=0.9, class_1=0.7, class_2=1.1))
    assert found == {"kid": 0.05, "kid_low": 0.04, "kid_high": 0.06, "variety": 0.7}


def test_without_a_class_of_enough_images_there_is_no_variety():
    assert watched_metrics(watched()) == {"kid": 0.05, "kid_low": 0.04, "kid_high": 0.06}


def test_a_collapsed_class_is_named_with_its_figure_and_what_to_do():
    assert collapses(watched(class_0=0.9, class_1=0.0312), ["boot", "coat"], 50_048) == {
        1: "class coat seems to collapse: at 50,048 images, 100 generated images of it vary 0.031 times as much as 90 "
        "real ones: train with more images of it, with augmentation (augment.operations), or with stronger penalties "
        "(such as loss.r1_gamma)"
    }


def test_a_generator_without_classes_collapses_as_a_whole():
    found = Watched(Metric(value=0.5), {-1: Variety(0.0, 100, 100)})
    (sentence,) = collapses(found, [], 64).values()
    assert sentence.startswith(
        "the generator seems to collapse: at 64 images, 100 generated images vary 0 times as much"
    )
