"""Starters that see."""

from __future__ import annotations

from marketplace.training.starters.starter import Starter

STARTERS = (
    Starter(
        name="digits",
        title="Handwritten digits",
        summary="Reads a handwritten digit from a drawing or a photo. Trained on 1,797 small scans.",
        task="image-classification",
        recipe="convolution",
        dataset="digits",
        prices={"image": "0.0002"},
        at_first=True,
        licence="Apache-2.0",
    ),
    Starter(
        name="enlarger",
        title="Picture enlarger",
        summary="Doubles a picture's width and height, sharper than interpolation does. Trained on two photographs.",
        task="image-enhancement",
        recipe="superresolution",
        dataset="photographs",
        prices={"image": "0.001"},
        licence="Apache-2.0",
    ),
    Starter(
        name="cleaner",
        title="Picture cleaner",
        summary="Takes the noise out of a picture, as cameras make it in the dark. Trained on two photographs.",
        task="image-enhancement",
        recipe="autoencoder",
        dataset="photographs",
        prices={"image": "0.001"},
        licence="Apache-2.0",
    ),
    Starter(
        name="spotter",
        title="Digit spotter",
        summary="Finds handwritten digits of any size on a picture, and says where each is.",
        task="object-detection",
        recipe="detector",
        dataset="digit-scenes",
        prices={"image": "0.0005"},
        licence="Apache-2.0",
    ),
    Starter(
        name="calligrapher",
        title="Digit calligrapher",
        summary="Writes a digit by hand as often as you like, never twice the same.",
        task="image-generation",
        recipe="gan",
        dataset="digits",
        prices={"image": "0.0005"},
        licence="Apache-2.0",
    ),
    Starter(
        name="outliner",
        title="Shape outliner",
        summary="Tells digits, discs, rectangles and triangles from what is behind them, pixel by pixel.",
        task="image-segmentation",
        recipe="unet",
        dataset="shape-scenes",
        prices={"image": "0.0005"},
        licence="Apache-2.0",
    ),
)
