"""Trainer: the loop over steps and epochs, with validation, checkpoints and what a person sees of them."""

import os
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from typing import Optional

import numpy as np
from tqdm import tqdm

from hourglass_pose.errors import ImageError, TrainingError
from hourglass_pose.tf_compat import describe_versions, tf
from hourglass_pose.training.checkpoint import read_manifest
from hourglass_pose.training.performance import Performance
from hourglass_pose.training.stopping import StopRequest


@dataclass(frozen=True)
class LoopSettings:
    """How long a run is and how often things happen; names as in config.cfg."""

    num_epochs: int
    steps_per_epoch: int
    valid_every: int = 1
    checkpoint_every: int = 1
    checkpoint_minutes: float = 15.0
    saver_step: int = 100
    w_summary: bool = False


@dataclass
class Progress:
    """What a checkpoint must remember besides the variables, so that a resumed run repeats the uninterrupted one.

    loss_sum, loss_count: of the epoch so far. learning_rate: of the last step. best_score: of all validations so
    far. validated_step, metrics: of the last validation.
    """

    loss_sum: float = 0.0
    loss_count: int = 0
    learning_rate: float = 0.0
    best_score: Optional[float] = None
    validated_step: int = 0
    metrics: dict = field(default_factory=dict)


class _Clock:
    """Steps and seconds since a step, for the speed shown; validation and drawing are not in it."""

    def __init__(self, step):
        self._step = step
        self._start = time.perf_counter()

    def steps(self, step):
        return step - self._step

    def seconds(self):
        return max(time.perf_counter() - self._start, 1e-9)


class _Stopped(Exception):
    """The wish to stop, met in the middle of an evaluation."""


class Trainer:
    """Trains a network until its last epoch or until it is asked to stop.

    graph: TrainGraph. runtime: Runtime. data: DataGenerator of the training persons. evaluator: Evaluator.
    checkpoints: CheckpointFolder. saver: VariableSaver. run_log: RunLog. loop: LoopSettings.
    manifest: what every checkpoint's manifest says besides where the training stands.
    observe: object with `training(run_log, step, batch, logits)` and `validation(run_log, step, evaluation)` that
    draws pictures, or None. say: function that shows a line.
    """

    def __init__(self, graph, runtime, data, evaluator, checkpoints, saver, run_log, loop, manifest, observe=None,
                 say=tqdm.write):
        self.graph = graph
        self.runtime = runtime
        self.data = data
        self.evaluator = evaluator
        self.checkpoints = checkpoints
        self.saver = saver
        self.run_log = run_log
        self.loop = loop
        self.manifest = manifest
        self.observe = observe
        self.say = say
        self.progress = Progress()
        self.performance = Performance()
        self.evaluation = None
        self.session = self._stop = self._clock = self._saved_step = None

    @property
    def total_steps(self):
        return self.loop.num_epochs * self.loop.steps_per_epoch

    def train(self, resume_folder=None, initial_prefix=None):
        """Train from random weights or from a checkpoint; return whether the last epoch was reached.

        resume_folder: a checkpoint of ours, whose run goes on. initial_prefix: a checkpoint of the original code, with
        whose variables a new run starts.

        Ctrl-C and SIGTERM end it early, after a checkpoint. Raises TrainingError when the loss is not finite.
        """
        with StopRequest() as self._stop, tf.Session(config=self.runtime.session_config()) as self.session:
            step = self._start(resume_folder, initial_prefix)
            tf.get_default_graph().finalize()
            try:
                return self._loop(step)
            finally:
                self.run_log.close()

    def _start(self, resume_folder, initial_prefix):
        """Initialise or restore the variables; return the step at which training goes on."""
        self.session.run(tf.global_variables_initializer())
        if resume_folder or initial_prefix:
            report = self.saver.restore(self.session, resume_folder or initial_prefix)
            if not report.is_complete:
                self.say('\n'.join(report.lines()))
            if self.graph.average and self.graph.average.has_any(report.fresh):
                self.session.run(self.graph.average.reset())
        if resume_folder:
            self.progress = Progress(**read_manifest(resume_folder)['progress'])
        self.runtime.prepare_session(self.session)
        step = int(self.session.run(self.graph.global_step))
        if resume_folder and os.path.dirname(os.path.realpath(resume_folder)) == os.path.realpath(
                self.checkpoints.folder):
            self._saved_step = step
        self.run_log.start_at(step)
        return step

    def _loop(self, step):
        batches = self.data.training_batches(step)
        last_checkpoint = time.time()
        bar = self._bar(step)
        self._clock = _Clock(step)
        if self._validation_due(step):
            # The run was stopped between the last step of an epoch and the end of its validation.
            self._finish_epoch(step)
        while step < self.total_steps and not self._stop.requested:
            batch = self._next(batches, step)
            step, loss = self._step(step, batch)
            bar.update(1)
            bar.set_postfix_str('loss %.4f' % loss, refresh=False)
            if step % self.loop.saver_step == 0:
                self._summarise(step, batch, loss)
            if self._epoch_ended(step):
                bar.close()
                self._finish_epoch(step)
                last_checkpoint = time.time()
                bar = self._bar(step)
                self._clock = _Clock(step)
            elif 0 < self.loop.checkpoint_minutes * 60 < time.time() - last_checkpoint:
                self._save(step)
                last_checkpoint = time.time()
        bar.close()
        batches.close()
        if step < self.total_steps or self._validation_due(step):
            self._save(step)
            self.say('stopped at step %d of %d; "python load.py" goes on from here' % (step, self.total_steps))
            return False
        if self.evaluation is None:
            # A finished run was resumed: nothing is left to train, but its results are wanted.
            self.say('the run is finished: %d of %d epochs' % (self.loop.num_epochs, self.loop.num_epochs))
            self.evaluation = self._evaluate()
        return True

    @property
    def _hides_bars(self):
        """True where another process shows them; False leaves it to tqdm, which asks for a terminal."""
        return not self.runtime.is_chief

    def _bar(self, step):
        epoch, done = divmod(step, self.loop.steps_per_epoch)
        return tqdm(total=self.loop.steps_per_epoch, initial=done, unit='step', leave=False, dynamic_ncols=True,
                    disable=self._hides_bars or step >= self.total_steps or None,
                    desc='epoch %d/%d' % (epoch + 1, self.loop.num_epochs))

    def _next(self, batches, step):
        """Return the next batch; what was learnt is saved before too many unreadable pictures stop the run."""
        self.performance.begin()
        try:
            return next(batches)
        except ImageError:
            self._save(step)
            raise

    def _step(self, step, batch):
        """Train on one batch; return (step, loss)."""
        graph = self.graph
        fetches = [graph.train_op, graph.loss, graph.rate, graph.gradient_norm]
        _, loss, rate, norm = self.runtime.run(self.session, fetches, graph.feed(batch))
        if not np.isfinite(loss) or not (np.isfinite(norm) or self.runtime.skips_overflow):
            images = ', '.join(self.data.persons[index].image for index in batch.indices[:8])
            raise TrainingError(
                'step %d: the loss is %s and the norm of its gradient %s, at learning rate %.3g, on images %s; '
                'the last checkpoint is untouched: lower Train.lear_rate, lengthen Train.warmup_steps or set '
                'Train.clip_norm, then go on with load.py' % (step + 1, loss, norm, rate, images))
        self.performance.end(self.data.batch_size * self.data.world_size, loss)
        self.progress.loss_sum += float(loss)
        self.progress.loss_count += 1
        self.progress.learning_rate = float(rate)
        return step + 1, float(loss)

    def _summarise(self, step, batch, loss):
        images = self._clock.steps(step) * self.data.batch_size * self.data.world_size
        self.run_log.scalars('train', step, {
            'loss': loss, 'learning_rate': self.progress.learning_rate,
            'images_per_second': images / self._clock.seconds()})
        if self.observe:
            logits = self.session.run(self.graph.logits, self.graph.feed(batch))
            self.observe.training(self.run_log, step, batch, logits[:, -1])
        if self.loop.w_summary:
            names = [variable.op.name for variable in tf.trainable_variables()]
            values = self.session.run(tf.trainable_variables())
            self.run_log.histograms(step, dict(zip(names, values)))
        self._clock = _Clock(step)

    def _epoch_ended(self, step):
        return step > 0 and step % self.loop.steps_per_epoch == 0

    def _validation_due(self, step):
        epoch = step // self.loop.steps_per_epoch
        due = epoch % self.loop.valid_every == 0 or step == self.total_steps
        return due and self._epoch_ended(step) and self.progress.validated_step < step

    def _finish_epoch(self, step):
        """Validate, write the epoch's row, and save."""
        epoch = step // self.loop.steps_per_epoch
        progress = self.progress
        is_best = False
        if self._validation_due(step):
            # Whatever happens during the validation, the epoch's steps are safe.
            self._save(step)
            evaluation = self._evaluate()
            if evaluation is None:
                return
            is_best = self._take_in(evaluation, step)
        metrics = self.evaluation.result.metrics if progress.validated_step == step else {}
        means = OrderedDict((name, values['mean']) for name, values in metrics.items())
        loss = progress.loss_sum / max(progress.loss_count, 1)
        self.run_log.epoch(OrderedDict(
            [('epoch', epoch), ('step', step), ('train_loss', repr(loss)),
             ('learning_rate', repr(progress.learning_rate))]
            + [('valid_' + name, value) for name, value in means.items()]))
        self.say('epoch %d/%d, step %d: loss %.4f%s%s' % (
            epoch, self.loop.num_epochs, step, loss,
            ''.join(', %s %.2f' % item for item in means.items() if item[1] is not None),
            ', the best so far' if is_best else ''))
        progress.loss_sum, progress.loss_count = 0.0, 0
        if epoch % self.loop.checkpoint_every == 0 or step in (self._saved_step, self.total_steps):
            self._save(step, is_best)
        self.run_log.flush()

    def _evaluate(self):
        """Return the Evaluation of the network as it is, or None where the wish to stop comes first."""
        graph = self.graph

        def predict_logits(images):
            if self._stop.requested:
                raise _Stopped()
            return self.session.run(graph.valid_logits, {graph.valid_images: images})[:, -1]

        def bar(batches):
            return tqdm(batches, desc='validation', unit='batch', leave=False, dynamic_ncols=True,
                        total=self.evaluator.num_batches, disable=self._hides_bars or None)

        try:
            return self.evaluator.evaluate(predict_logits, bar)
        except _Stopped:
            return None

    def _take_in(self, evaluation, step):
        """Note the evaluation after a step, and return whether it is the best so far."""
        self.evaluation = evaluation
        progress = self.progress
        progress.validated_step = step
        progress.metrics = self.evaluation.result.metrics
        self.run_log.scalars('test', step, {name: values['mean'] for name, values in progress.metrics.items()})
        if self.observe:
            self.observe.validation(self.run_log, step, self.evaluation)
        is_best = progress.best_score is None or self.evaluation.score > progress.best_score
        if is_best:
            progress.best_score = self.evaluation.score
        return is_best

    def _save(self, step, is_best=False):
        if not self.runtime.is_chief:
            return
        manifest = dict(
            self.manifest, global_step=step, epoch=step // self.loop.steps_per_epoch, versions=describe_versions(),
            steps_per_epoch=self.loop.steps_per_epoch, progress=asdict(self.progress))
        if step == self._saved_step:
            # The variables are on the disk already.
            self.checkpoints.update(step, manifest, is_best)
        else:
            self.checkpoints.write(step, manifest, lambda folder: self.saver.save(self.session, folder), is_best)
        self._saved_step = step
