"""Heatmaps in NumPy: decode inverts the target within theory's bounds and commutes with flip, rotation and scale."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hourglass_pose.geometry import crop_affine, crop_from_hm, transform_points
from hourglass_pose.representations.heatmap.numpy import DECODINGS
from hourglass_pose.representations.table import make_codec
from mirrored import flip_points

SIZE, STRIDE = 64, 4
CROP = SIZE * STRIDE
FEW = settings(max_examples=30, deadline=None)
FLOAT32 = 2.0**-22
"""Relative error of a cell: three roundings to float32, two of the factors and one of their product."""


def codec_of(sigma=2.0, loss='mse', decoding='dark', size=SIZE):
    return make_codec(size, STRIDE, sigma, loss, decoding)


def encoded(codec, joints_hm):
    """Maps of joints given in cells, all of them labelled."""
    maps = codec.target_maps(crop_from_hm(joints_hm, STRIDE), np.ones(len(joints_hm)))
    assert maps.any(axis=(0, 1)).all()
    return maps


def errors_hm(codec, joints_hm):
    """Error in cells, (J, 2), of decoding what was encoded."""
    joints_crop, _ = codec.decode(encoded(codec, joints_hm))
    return np.abs(joints_crop - crop_from_hm(joints_hm, STRIDE)) / STRIDE


def newton_bound(curvature, error):
    """Largest error in cells of a Newton step on a parabola that bends by `curvature` and is known up to `error`.

    At the peak's cell the slope is f * curvature for a peak |f| <= 1/2 away. Central differences of values wrong by
    `error` make it wrong by at most `error`, the curvature by 4 * `error`, and the mixed derivative, which is zero,
    by `error`, which half a cell of the other coordinate brings in: 1 + 4 / 2 + 1 / 2 < 4 times `error` in all.
    """
    return 4 * error / (curvature - 4 * error)


def dark_bound(sigma):
    """Largest error in cells of DARK on a sampled Gaussian far from the border.

    Smoothing sums exp(-(k - c)^2 / sigma^2) over whole k, where |c| <= 0.75 is half the way from the peak to a
    neighbour of its cell. It would be sigma * sqrt(pi), whatever c is, and the result a Gaussian of variance
    2 sigma^2, were the sum an integral and endless. It departs from this by 2 exp(-pi^2 sigma^2) (Poisson's formula)
    and by the terms beyond the kernel's three sigma.
    """
    beyond = np.arange(math.ceil(3 * sigma) + 1, 100)
    cut = np.exp(-np.square((beyond[:, None] - [0.75, -0.75]) / sigma)).sum() / (sigma * math.sqrt(math.pi))
    return newton_bound(1 / (2 * sigma**2), cut + 2 * math.exp(-((math.pi * sigma) ** 2)) + FLOAT32)


def test_target_is_the_gaussian_at_the_exact_position(rng):
    codec = codec_of(sigma=2.0, size=32)
    assert codec.sigma_hm == 1.0  # given for 64 cells
    joints_crop = rng.uniform(0, 127, (3, 2))
    maps = codec.target_maps(joints_crop, [1, 1, 1])
    assert maps.shape == (32, 32, 3) and maps.dtype == np.float32
    for joint, (x_crop, y_crop) in enumerate(joints_crop):
        for x, y in rng.randint(0, 32, (200, 2)):
            # The middle of a cell of 4 pixels is 1.5 pixels after the centre of its first.
            squared = ((4 * x + 1.5 - x_crop) ** 2 + (4 * y + 1.5 - y_crop) ** 2) / 16
            assert maps[y, x, joint] == pytest.approx(math.exp(-squared / 2), rel=FLOAT32, abs=1e-37)


def test_unlabelled_and_outside_joints_have_an_empty_map():
    end = CROP - 0.5  # right edge of the last pixel
    joints = np.array(
        [
            [-0.5, 9],
            [-0.51, 9],
            [9, -0.5],
            [9, -0.51],
            [end - 0.01, 9],
            [end, 9],
            [9, end - 0.01],
            [9, end],
            [9, 9],
            [9, 9],
            [np.nan, np.nan],
        ]
    )
    labelled = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0])
    maps = codec_of().target_maps(joints, labelled)
    np.testing.assert_array_equal(maps.max(axis=(0, 1)) > 0, [1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0])
    np.testing.assert_array_equal(maps.min(axis=(0, 1)), 0)  # no NaN either


def test_nearest_cells_are_the_peaks_of_the_target(rng):
    joints = rng.uniform(-0.5, CROP - 0.51, (500, 2))
    joints[:4] = [[-0.5, CROP - 0.51], [1.5, 1.5], [3.5, 7.5], [CROP - 0.51, -0.5]]  # corners, and between cells
    codec = codec_of(4.0)
    np.testing.assert_array_equal(
        codec.nearest_cells(joints), codec.peak_cells(codec.target_maps(joints, np.ones(500)))
    )


@pytest.mark.parametrize('sigma', [0.7, 1.0, 2.0, 4.0])
def test_argmax_is_within_half_a_cell_anywhere(sigma, rng):
    joints = np.vstack([rng.uniform(-0.5, SIZE - 0.5, (300, 2)), [[-0.5, -0.5], [SIZE - 0.51, SIZE - 0.51]]])
    # The nearest cell is the highest. Two that differ by less than float32 shows may be taken for each other.
    assert errors_hm(codec_of(sigma, decoding='argmax'), joints).max() <= 0.5 + 2 * sigma**2 * FLOAT32


@pytest.mark.parametrize('sigma', [0.7, 1.0, 2.0, 4.0])
def test_quarter_is_within_a_quarter_of_a_cell_off_the_border(sigma, rng):
    joints = rng.uniform(-0.5, SIZE - 0.5, (400, 2))
    errors = errors_hm(codec_of(sigma, decoding='quarter'), joints)
    # The higher neighbour lies on the joint's side, and |f - 1/4 sign f| <= 1/4 for |f| <= 1/2. On the border there
    # is only one neighbour, nothing is moved, and the bound is that of argmax.
    inner = (np.rint(joints) > 0) & (np.rint(joints) < SIZE - 1)
    assert errors[inner].max() <= 0.25 + 2 * sigma**2 * FLOAT32
    assert errors[~inner].max() <= 0.5 + 2 * sigma**2 * FLOAT32


@pytest.mark.parametrize('sigma', [1.0, 2.0])
def test_dark_is_exact_up_to_the_ends_of_its_smoothing_kernel(sigma, rng):
    reach = math.ceil(3 * sigma) + 1.5
    joints = rng.uniform(reach, SIZE - 1 - reach, (500, 2))
    bound = dark_bound(sigma)
    assert bound < 1e-3  # cells
    assert errors_hm(codec_of(sigma), joints).max() <= bound


@pytest.mark.parametrize('sigma', [0.2, 0.35, 0.5, 0.75])
def test_dark_of_gaussians_narrower_than_a_cell_is_within_a_tenth_of_a_cell(sigma, rng):
    # No closed form: this is what the docstring says, found by measuring.
    assert errors_hm(codec_of(sigma), rng.uniform(10, SIZE - 10, (500, 2))).max() <= 0.1


def border_bound(sigma):
    """Largest error in cells of DARK where the kernel is cut to a radius r on both sides alike.

    The smoothed map's logarithm is -u^2 / 2 sigma^2 + K(u / sigma^2), u being the distance from the peak and K the
    cumulant function of the weights exp(-j^2 / sigma^2), |j| <= r: an even function, -a u^2 + b u^4 + ... Central
    differences at u see its zero at b (8 u^3 - 2 u) / 2a, at most 0.385 b / 2a for |u| <= 1/2. Higher terms get a
    factor of 2.
    """
    errors = []
    for radius in range(math.ceil(3 * sigma) + 1):
        j = np.arange(-radius, radius + 1)
        p = np.exp(-np.square(j / sigma))
        p /= p.sum()
        variance = (p * j**2).sum()
        a, b = 0.5 / sigma**2 - 0.5 * variance / sigma**4, ((p * j**4).sum() - 3 * variance**2) / 24 / sigma**8
        errors.append(2 * 0.385 * abs(b) / (2 * a))
    return max(errors) + newton_bound(1 / (2 * sigma**2), FLOAT32) + dark_bound(sigma)


def near_the_border(rng, sigma, count):
    """Positions in cells whose peak is off the border, but nearer to it than the kernel reaches."""
    joints = rng.uniform(0.51, SIZE - 1.51, (count, 2))
    near = rng.uniform(0.51, math.ceil(3 * sigma), count)
    joints[np.arange(count), np.arange(count) % 2] = np.where(rng.uniform(size=count) < 0.5, near, SIZE - 1 - near)
    return joints


@pytest.mark.parametrize('sigma', [1.0, 2.0, 4.0])
def test_dark_is_unbiased_near_the_border(sigma, rng):
    bound = border_bound(sigma)
    # Padding with zeros would be off by up to a quarter of a cell.
    assert bound < 0.01
    assert errors_hm(codec_of(sigma), near_the_border(rng, sigma, 400)).max() <= bound


def test_dark_is_as_robust_near_the_border_as_in_the_middle(rng):
    codec, errors = codec_of(2.0), []
    for joints in (rng.uniform(8, SIZE - 9, (600, 2)), near_the_border(rng, 2.0, 600)):
        noisy = encoded(codec, joints) + 0.03 * rng.standard_normal((SIZE, SIZE, 600))
        found = (codec.decode(noisy)[0] + 0.5) / STRIDE - 0.5
        # A peak that noise moves onto the border has no Newton step.
        is_inner = np.all((joints > 1) & (joints < SIZE - 2), axis=1)
        errors.append(np.linalg.norm(found - joints, axis=1)[is_inner].mean())
    # Noise of a mean over n cells goes with 1 / sqrt(n): half as many cells, 1.4 times the noise. Without smoothing it
    # is 3 times.
    assert errors[1] < 1.4 * errors[0]


def test_smoothing_is_that_of_opencv_with_a_kernel_cut_on_both_sides(rng):
    sigma, codec = 2.0, codec_of(2.0)
    joints = np.vstack([near_the_border(rng, sigma, 30), rng.uniform(10, 50, (10, 2))])
    maps = encoded(codec, joints) + rng.uniform(0, 0.05, (SIZE, SIZE, 40)).astype(np.float32)
    found = (codec.decode(maps)[0] + 0.5) / STRIDE - 0.5
    for joint, (x, y) in enumerate(codec.peak_cells(maps)):
        kernels = []
        for cell in (x, y):
            radius = min(6, cell - 1, SIZE - 2 - cell)
            kernels.append(np.where(np.abs(np.arange(-6, 7)) <= radius, cv2.getGaussianKernel(13, sigma)[:, 0], 0))
        smoothed = cv2.sepFilter2D(
            maps[..., joint].astype(np.float64), -1, kernels[0], kernels[1], borderType=cv2.BORDER_CONSTANT
        )
        near = np.log(smoothed[y - 1 : y + 2, x - 1 : x + 2])
        gradient = np.array([near[1, 2] - near[1, 0], near[2, 1] - near[0, 1]]) / 2
        mixed = (near[2, 2] - near[2, 0] - near[0, 2] + near[0, 0]) / 4
        hessian = np.array(
            [[near[1, 2] - 2 * near[1, 1] + near[1, 0], mixed], [mixed, near[2, 1] - 2 * near[1, 1] + near[0, 1]]]
        )
        step = np.clip(-np.linalg.solve(hessian, gradient), -0.5, 0.5)
        np.testing.assert_allclose(found[joint], [x, y] + step, atol=1e-6)


def test_dark_falls_back_to_the_quarter_where_the_peak_is_on_the_border(rng):
    joints = np.column_stack([rng.uniform(-0.5, 0.49, 60), rng.uniform(5, 50, 60)])
    for joints_hm in (joints, joints[:, ::-1], SIZE - 1 - joints):
        maps = encoded(codec_of(2.0), joints_hm)
        np.testing.assert_array_equal(codec_of(2.0).decode(maps)[0], codec_of(decoding='quarter').decode(maps)[0])


@pytest.mark.parametrize('centre', [(30.3, 33.8), (2.3, 3.4), (60.6, 2.7)])
def test_dark_finds_the_peak_of_a_slanting_gaussian(centre):
    # A predicted map may be longer one way than another; then the mixed derivative matters. Smoothing only adds to
    # the covariance, and more of it makes the kernel's ends matter less than in dark_bound. Near the border the kernel
    # is shorter one way than another; the smoothed map is symmetric about its peak, but no Gaussian.
    bound = dark_bound(2.0) if min(centre) > 10 else 0.01
    precision = np.linalg.inv(np.array([[6.0, 2.5], [2.5, 4.0]]))
    y, x = np.mgrid[:SIZE, :SIZE]
    offsets = np.stack([x - centre[0], y - centre[1]], axis=-1)
    joint_map = np.exp(-0.5 * np.einsum('yxi,ij,yxj->yx', offsets, precision, offsets))
    found, _ = codec_of(2.0).decode(joint_map[..., None])
    np.testing.assert_allclose(found[0], crop_from_hm(centre, STRIDE), atol=STRIDE * bound)


def test_dark_smooths_away_the_ripples_of_a_predicted_map(rng):
    codec = codec_of(2.0)
    joints = rng.uniform(15, 48, (300, 2))
    rippled = encoded(codec, joints) + rng.uniform(0, 0.05, (SIZE, SIZE, 300))
    found = (codec.decode(rippled)[0] + 0.5) / STRIDE - 0.5
    cells = codec.peak_cells(rippled)
    left, middle, right = [np.log(rippled[cells[:, 1], cells[:, 0] + step, np.arange(300)]) for step in (-1, 0, 1)]
    unsmoothed = cells[:, 0] + (left - right) / 2 / (left - 2 * middle + right)
    # Averaging over some 4 pi sigma^2 = 50 cells makes noise 7 times smaller, of which a factor of 2 is asked for.
    assert np.abs(found - joints)[:, 0].mean() < 0.5 * np.abs(unsmoothed - joints[:, 0]).mean()


@pytest.mark.parametrize('shape', ['saddle', 'dip'])
def test_dark_falls_back_to_the_quarter_where_the_smoothed_map_has_no_peak(shape):
    # One cell is the highest, but smoothed it lies between two bumps, or within a ring.
    y, x = np.mgrid[:SIZE, :SIZE]
    joint_map = (
        0.9
        * {
            'saddle': np.exp(-(np.hypot(x - 26, y - 30) ** 2) / 8) + np.exp(-(np.hypot(x - 34.6, y - 30.2) ** 2) / 8),
            'dip': np.exp(-((np.hypot(x - 30.2, y - 30.1) - 5) ** 2) / 4),
        }[shape]
    )
    joint_map[30, 30] = 1
    maps = np.stack([joint_map, joint_map.T], axis=-1)
    quarter, _ = codec_of(decoding='quarter').decode(maps)
    np.testing.assert_array_equal(codec_of(decoding='dark').decode(maps)[0], quarter)
    assert np.abs(quarter - crop_from_hm(30, STRIDE)).min() == STRIDE / 4


def test_a_step_never_leaves_the_cell_of_the_peak(rng):
    maps = np.abs(rng.standard_normal((2, 16, 16, 50)))
    for decoding in DECODINGS:
        codec = codec_of(decoding=decoding, size=16)
        cells = codec.peak_cells(maps)
        assert np.abs((codec.decode(maps)[0] + 0.5) / STRIDE - 0.5 - cells).max() <= 0.5


def test_ridges_plateaus_and_empty_maps_decode_to_their_first_highest_cell():
    y, x = np.mgrid[:SIZE, :SIZE]
    ridge = np.exp(-0.5 * (x - 30.0) ** 2)
    for joint_map, cell in ((ridge, (30, 0)), (x * 0 + 1.0, (0, 0)), (x * 0.0, (0, 0)), (x * 0 - 3.0, (0, 0))):
        for decoding in DECODINGS:
            found, score = codec_of(decoding=decoding).decode(joint_map[..., None])
            np.testing.assert_array_equal(found[0], crop_from_hm(cell, STRIDE))
            assert score == np.clip(joint_map.max(), 0, 1)


@pytest.mark.parametrize('decoding', DECODINGS)
def test_decode_treats_every_map_alone(decoding, rng):
    codec = codec_of(decoding=decoding, size=16)
    maps = rng.uniform(0, 1, (2, 3, 16, 16, 5)).astype(np.float32)
    joints, scores = codec.decode(maps)
    assert joints.shape == (2, 3, 5, 2) and scores.shape == (2, 3, 5) and scores.dtype == np.float32
    for place in np.ndindex(2, 3, 5):
        alone, score = codec.decode(maps[place[:2]][..., place[2] : place[2] + 1])
        np.testing.assert_array_equal(joints[place], alone[0])
        assert scores[place] == score[0] == maps[place[:2]][..., place[2]].max()


@FEW
@given(st.integers(0, 2**16), st.sampled_from([1.0, 2.0, 3.0]))
def test_flip_commutes_with_the_target(seed, sigma):
    random = np.random.RandomState(seed)
    joints = random.uniform(-20, CROP + 20, (4, 2))
    labels = random.randint(0, 2, 4)
    permutation = np.array([1, 0, 2, 3])
    maps = codec_of(sigma).target_maps(joints, labels)
    mirrored = codec_of(sigma).target_maps(flip_points(joints, CROP, permutation), labels[permutation])
    np.testing.assert_allclose(mirrored, maps[:, ::-1][..., permutation], rtol=FLOAT32, atol=1e-30)


@FEW
@given(st.integers(0, 2**16), st.sampled_from([1.0, 2.0, 3.0]), st.integers(1, 3))
def test_quarter_turns_commute_with_the_target(seed, sigma, turns):
    joints = np.random.RandomState(seed).uniform(0, CROP - 1, (4, 2))
    about_the_middle = crop_affine(np.array([(CROP - 1) / 2] * 2), CROP, CROP, 90 * turns)
    maps = codec_of(sigma).target_maps(joints, np.ones(4))
    turned = codec_of(sigma).target_maps(transform_points(about_the_middle, joints), np.ones(4))
    # Coordinates are exact to 1e-13 cells, which the exponent multiplies by up to 64 cells / sigma^2.
    np.testing.assert_allclose(turned, np.rot90(maps, turns), rtol=FLOAT32, atol=1e-30)


@FEW
@given(st.floats(-180, 180), st.floats(0.5, 1.5), st.booleans(), st.integers(0, 99), st.sampled_from([1.0, 2.0]))
def test_flip_rotation_and_scale_commute_with_decode_of_the_target(rotation, scale, flip, seed, sigma):
    codec = codec_of(sigma)
    # No farther from the middle than 1.5 * sqrt(2) * 11 = 23.4 cells, so that no kernel reaches the border.
    joints = crop_from_hm((SIZE - 1) / 2 + np.random.RandomState(seed).uniform(-11, 11, (5, 2)), STRIDE)
    affine = crop_affine(np.array([(CROP - 1) / 2] * 2), CROP / scale, CROP, rotation, flip)
    found, _ = codec.decode(codec.target_maps(joints, np.ones(5)))
    found_moved, _ = codec.decode(codec.target_maps(transform_points(affine, joints), np.ones(5)))
    bound = STRIDE * math.sqrt(2) * dark_bound(sigma) * (1 + scale)
    assert np.linalg.norm(found_moved - transform_points(affine, found), axis=1).max() <= bound


@pytest.mark.parametrize('decoding', DECODINGS)
def test_decode_commutes_with_flip_and_transposition_on_any_map(decoding, rng):
    codec = codec_of(1.0, decoding=decoding)
    bumps = encoded(codec_of(3.0), rng.uniform(0, SIZE - 1, (40, 2)))
    maps = bumps + rng.uniform(0, 0.3, bumps.shape)
    found = codec.decode(maps)[0]
    # Rounding of the smoothed logarithms, 1e-15, divided by their curvature.
    np.testing.assert_allclose(codec.decode(maps[:, ::-1])[0], flip_points(found, CROP, np.arange(40)), atol=1e-9)
    np.testing.assert_allclose(codec.decode(maps.swapaxes(0, 1))[0], found[:, ::-1], atol=1e-9)


@pytest.mark.parametrize('decoding', DECODINGS)
def test_softmax_and_sigmoid_logits_decode_as_the_map_they_stand_for(decoding, rng):
    joints = rng.uniform(12, SIZE - 13, (20, 2))
    maps = encoded(codec_of(2.0), joints).astype(np.float64)
    expected, heights = codec_of(2.0, decoding=decoding).decode(maps)
    with np.errstate(divide='ignore'):  # far from the joint the map is 0 and its logarithm -inf
        logits = {'softmax': np.log(maps) + 7, 'sigmoid': np.log(maps) - np.log1p(-maps), 'mse': maps}
    for loss, values in logits.items():
        codec = codec_of(2.0, loss, decoding)
        found_maps = codec.maps_of_logits(values)
        assert found_maps.dtype == np.float32
        # exp and log in float32 at logits of up to 10 where it matters: 10 * 2^-24 and the roundings of the result.
        np.testing.assert_allclose(found_maps, maps, rtol=1e-5, atol=1e-6)
        found, scores = codec.decode(found_maps)
        np.testing.assert_allclose(found, expected, atol=STRIDE * newton_bound(1 / 8.0, 1e-5))
        np.testing.assert_allclose(scores, heights, rtol=1e-5)


@pytest.mark.parametrize('size, sigma', [(64, 2.0), (64, 1.0), (32, 2.0)])
def test_score_of_a_perfect_softmax_map_is_one(size, sigma):
    codec = codec_of(sigma, 'softmax', size=size)
    # In the middle of a cell, away from the border, the cells sum up to 2 pi sigma^2 but for Poisson's
    # 4 exp(-2 pi^2 sigma^2) = 1e-8; in a corner the Gaussian is cut and the score is held at 1.
    joints = np.array([[size // 2, size // 2 - 3], [0, 0]])
    with np.errstate(divide='ignore'):
        maps = codec.maps_of_logits(np.log(encoded(codec, joints)))
    np.testing.assert_allclose(maps[..., 0].max(), 1, atol=1e-5)
    # Half of a Gaussian that is cut in the middle of a cell, in x and in y, and half of that cell.
    side = 0.5 + 0.5 / (math.sqrt(2 * math.pi) * codec.sigma_hm)
    np.testing.assert_allclose(maps[..., 1].max(), 1 / side**2, rtol=1e-5)
    scores = codec.decode(maps)[1]
    assert scores[0] == pytest.approx(1, abs=1e-5) and scores[1] == 1


@pytest.mark.parametrize('loss', ['softmax', 'sigmoid', 'mse'])
def test_scores_are_shares_and_no_logit_overflows(loss, rng):
    codec = codec_of(2.0, loss)
    with np.errstate(over='raise', invalid='raise', divide='raise'):
        maps = codec.maps_of_logits(rng.standard_normal((SIZE, SIZE, 3)) * [1e-3, 1, 1e4])
        joints, scores = codec.decode(maps)
    assert np.isfinite(joints).all() and scores.min() >= 0 and scores.max() <= 1
    if loss == 'softmax':
        np.testing.assert_allclose(maps.sum(axis=(0, 1)), 2 * np.pi * 4, rtol=1e-5)


@pytest.mark.parametrize('wrong', [{'decoding': 'mean'}, {'loss': 'hinge'}, {'sigma': 0.0}, {'sigma': float('nan')}])
def test_wrong_settings_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make_codec(SIZE, **wrong)


@pytest.mark.parametrize('uncertainty', [0.0, 1.5, 4.0])
def test_comparable_scores_of_softmax_maps_depend_on_the_uncertainty_and_not_on_sigma(uncertainty):
    found = []
    for sigma in (1.5, 2.0, 3.0):
        codec = make_codec(64, sigma=sigma, loss='softmax')
        offsets = np.arange(64) - 32
        squares = offsets[:, None] ** 2 + offsets[None] ** 2
        # The joint's Gaussian, convolved with the distribution of its position.
        logits = -0.5 * squares / (sigma**2 + uncertainty**2)
        scores = codec.scores(codec.maps_of_logits(logits[..., None]))
        found.append(float(codec.comparable_scores(scores)[0]))
        if sigma == 2.0:
            assert found[-1] == pytest.approx(float(scores[0]), abs=1e-6)
    # Sums over cells in place of integrals.
    np.testing.assert_allclose(found, 4 / (4 + uncertainty**2), rtol=1e-3)


@pytest.mark.parametrize('loss', ['mse', 'sigmoid'])
def test_heights_of_other_maps_compare_as_they_are(loss):
    scores = np.array([0.0, 0.3, 1.0])
    assert np.array_equal(make_codec(64, sigma=1.0, loss=loss).comparable_scores(scores), scores)
