"""Trainer: the loop over steps and epochs, with validation, checkpoints and what a person sees of them."""

import os
import time
from collections import OrderedDict
from dataclasses import asdict

import numpy as np
from tqdm import tqdm

from hourglass_pose.checkpoints.folder import read_manifest
from hourglass_pose.checkpoints.variables import stored_number
from hourglass_pose.errors import CheckpointError, ImageError
from hourglass_pose.tf_compat import describe_versions, tf
from hourglass_pose.training.performance import Performance
from hourglass_pose.training.progress import Clock, Progress
from hourglass_pose.training.stepper import Stepper
from hourglass_pose.training.stopping import StopRequest


class _Stopped(Exception):
    """The wish to stop, met in the middle of an evaluation."""


class Trainer:
    """Trains a network until its last epoch or until it is asked to stop.

    With many processes each of them runs one, in step with the others; the chief alone writes.

    graph: TrainGraph. runtime: Runtime. data: DataGenerator of the training persons. evaluator: Evaluator.
    checkpoints: CheckpointFolder. saver: VariableSaver. run_log: RunLog. loop: LoopSettings.
    manifest: what every checkpoint's manifest says besides where the training stands.
    observe: object with `training(run_log, step, batch, logits)` and `validation(run_log, step, evaluation)` that
    draws pictures, or None. say: function that shows a line.
    """

    def __init__(
        self, graph, runtime, data, evaluator, checkpoints, saver, run_log, loop, manifest, observe=None, say=tqdm.write
    ):
        self.graph = graph
        self.runtime = runtime
        self.data = data
        self.evaluator = evaluator
        self.checkpoints = checkpoints
        self.saver = saver
        self.run_log = run_log
        self.loop = loop
        self.manifest = manifest
        self.observe = observe if runtime.is_chief else None
        self.say = say
        self.progress = Progress()
        self.performance = Performance()
        self.evaluation = None
        self.session = None
        self.skipped = 0
        self._stepper = Stepper(graph, runtime, data)
        self._stop = None
        self._clock = None
        self._saved = None

    def train(self, resume_folder=None, initial_prefix=None, initialise=None):
        """Train from random weights or from a checkpoint; return whether the last epoch was reached.

        resume_folder: a checkpoint of ours, whose run goes on. initial_prefix: a checkpoint of the original code, with
        whose variables a new run starts. initialise: function of the session that sets initial values of variables.

        Ctrl-C and SIGTERM in any of the processes end it early in all, after a checkpoint. Raises TrainingError when
        the loss is not finite.
        """
        with StopRequest() as self._stop, tf.Session(config=self.runtime.session_config()) as self.session:
            step = self._start(resume_folder, initial_prefix, initialise)
            tf.get_default_graph().finalize()
            try:
                return self._loop(step)
            finally:
                self.run_log.close()

    def _start(self, resume_folder, initial_prefix, initialise):
        """Initialise or restore the variables; return the applied steps after which training goes on."""
        self.session.run(self.graph.initialisation)
        if initialise:
            initialise(self.session)
        step, path = 0, resume_folder or initial_prefix
        if path:
            report = self.saver.restore(self.session, path)
            if not report.is_complete:
                self.say('\n'.join(report.lines()))
            if self.graph.average and self.graph.average.has_any(report.fresh):
                self.session.run(self.graph.average.reset())
            step, self.skipped = [
                stored_number(path, variable) if variable.op.name in report.restored else 0
                for variable in (self.graph.global_step, self.graph.skipped_steps)
            ]
        if resume_folder:
            self.progress = Progress.restored(read_manifest(resume_folder)['progress'], self.loop, step)
        self._require_agreement(step, path)
        self.runtime.prepare_session(self.session)
        if resume_folder and os.path.dirname(os.path.realpath(resume_folder)) == os.path.realpath(
            self.checkpoints.folder
        ):
            self._saved = (step, self.skipped)
        self.run_log.start_at(step)
        return step

    def _require_agreement(self, step, path):
        """Raise CheckpointError where the processes do not start from the same place with the same persons."""
        starts = self.runtime.exchange([step, self.skipped, self.manifest.get('split_hash')])
        for rank, start in enumerate(starts):
            if start != starts[0]:
                raise CheckpointError(
                    '%s: rank 0 starts after (applied, skipped) steps and with persons %s, rank %d with %s; give all '
                    'ranks the same run folder and data' % (path or self.checkpoints.folder, starts[0], rank, start)
                )

    def _loop(self, step):
        self._stepper.start(self.session, step, self.skipped)
        last_checkpoint = time.time()
        bar = self._bar(step)
        self._clock = Clock(step + self.skipped)
        if self._epoch_is_open(step):
            # The run was stopped between the last step of an epoch and the end of its validation.
            self._finish_epoch(step)
        while step < self.loop.total_steps and not self.runtime.any_of(self._stop.requested):
            outcome = self._step()
            before, step, self.skipped = step, outcome.step, outcome.skipped
            bar.update(step - before)
            bar.set_postfix_str(f'loss {outcome.loss:.4f}{self._skips()}', refresh=False)
            if step // self.loop.saver_step > before // self.loop.saver_step:
                self._summarise(outcome)
            if self._epoch_is_open(step):
                bar.close()
                self._finish_epoch(step)
                last_checkpoint = time.time()
                bar = self._bar(step)
                self._clock = Clock(outcome.place)
            elif 0 < self.loop.checkpoint_minutes * 60 < time.time() - last_checkpoint:
                self._save(step)
                last_checkpoint = time.time()
        bar.close()
        self._stepper.close()
        if step < self.loop.total_steps or self._epoch_is_open(step):
            self._save(step)
            self.say('stopped at step %d of %d; "python load.py" goes on from here' % (step, self.loop.total_steps))
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
        return tqdm(
            total=self.loop.steps_per_epoch,
            initial=done,
            unit='step',
            leave=False,
            dynamic_ncols=True,
            disable=self._hides_bars or step >= self.loop.total_steps or None,
            desc='epoch %d/%d' % (epoch + 1, self.loop.num_epochs),
        )

    def _skips(self):
        return ', %d skipped' % self.skipped if self.skipped else ''

    def _step(self):
        """Train for one run of the device and return the StepOutcome."""
        self.performance.begin()
        try:
            outcome = self._stepper.run()
        except ImageError:
            # What was learnt is saved before too many unreadable pictures stop the run, some steps of a loop included.
            if self.runtime.is_chief:
                counters = self.saver.values(self.session, [self.graph.global_step, self.graph.skipped_steps])
                step, self.skipped = [int(value) for value in counters.values()]
                self._save(step)
            raise
        steps = self.runtime.steps_per_run
        self.performance.end(steps * self.data.batch_size * self.data.world_size, outcome.loss, steps)
        self.progress.loss_sum += outcome.loss_sum
        self.progress.loss_count += outcome.applied
        self.progress.learning_rate = outcome.rate
        return outcome

    def _summarise(self, outcome):
        images = self.data.batch_size * self.data.world_size
        scalars = {
            'loss': outcome.loss,
            'learning_rate': outcome.rate,
            'images_per_second': images * self._clock.steps_per_second(outcome.place),
        }
        if self.runtime.skips_overflow:
            scalars['skipped_steps'] = outcome.skipped
        self.run_log.scalars('train', outcome.step, scalars)
        if self.observe:
            batch = self._stepper.last_batch()
            self.observe.training(self.run_log, outcome.step, batch, self._logits(batch.images))
        if self.loop.w_summary and self.runtime.is_chief:
            self.run_log.histograms(outcome.step, self.saver.values(self.session, tf.trainable_variables()))
        self._clock = Clock(outcome.place)

    def _logits(self, images):
        """Return the evaluation tower's logits (N, H, W, J) of any number of crops.

        Whatever is looked at goes through it: every other set of fetches would be one more graph to compile.
        """
        graph = self.graph
        count = graph.valid_images.shape.as_list()[0]
        logits = []
        for start in range(0, len(images), count):
            part = np.zeros(graph.valid_images.shape.as_list(), np.uint8)
            part[: len(images) - start] = images[start : start + count]
            logits.append(self.session.run(graph.valid_logits, {graph.valid_images: part})[:, -1])
        return np.concatenate(logits)[: len(images)]

    def _epoch_is_open(self, step):
        """Return whether an epoch's last step is made, but its validation is not done or its row not written."""
        return self.loop.epochs_at(step) > self.progress.finished_epochs

    def _finish_epoch(self, step):
        """Validate, write the epoch's row, and save."""
        epoch = self.loop.epochs_at(step)
        progress = self.progress
        is_best = False
        if self.loop.validates_after(epoch):
            # Whatever happens during the validation, the epoch's steps are safe.
            self._save(step)
            evaluation = self._evaluate()
            if evaluation is None:
                return
            is_best = self._take_in(evaluation, step)
        metrics = self.evaluation.result.metrics if progress.validated_step == step else {}
        means = OrderedDict((name, values['mean']) for name, values in metrics.items())
        loss = progress.loss_sum / max(progress.loss_count, 1)
        self.run_log.epoch(
            OrderedDict(
                [
                    ('epoch', epoch),
                    ('step', step),
                    ('skipped_steps', self.skipped),
                    ('train_loss', repr(loss)),
                    ('learning_rate', repr(progress.learning_rate)),
                ]
                + [(f'valid_{name}', value) for name, value in means.items()]
            )
        )
        self.say(
            'epoch %d/%d, step %d%s: loss %.4f%s%s'
            % (
                epoch,
                self.loop.num_epochs,
                step,
                self._skips(),
                loss,
                ''.join(', {} {:.2f}'.format(*item) for item in means.items() if item[1] is not None),
                ', the best so far' if is_best else '',
            )
        )
        progress.loss_sum, progress.loss_count, progress.finished_epochs = 0.0, 0, epoch
        is_saved = self._saved == (step, self.skipped)
        if epoch % self.loop.checkpoint_every == 0 or is_saved or step >= self.loop.total_steps:
            self._save(step, is_best)
        self.run_log.flush()

    def _evaluate(self):
        """Return the Evaluation of the network as it is, or None where the wish to stop comes first."""

        def until_stopped(batches):
            # All processes have the same number of batches, so all ask each other as often.
            for batch in tqdm(
                batches,
                desc='validation',
                unit='batch',
                leave=False,
                dynamic_ncols=True,
                total=self.evaluator.num_batches,
                disable=self._hides_bars or None,
            ):
                self._stop_evaluation()
                yield batch
            self._stop_evaluation()

        self.runtime.synchronise(self.session)
        try:
            return self.evaluator.evaluate(self._logits, until_stopped, self.runtime.exchange_arrays)
        except _Stopped:
            return None

    def _stop_evaluation(self):
        if self.runtime.any_of(self._stop.requested):
            raise _Stopped()

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
            self.manifest,
            global_step=step,
            skipped_steps=self.skipped,
            epoch=step // self.loop.steps_per_epoch,
            versions=describe_versions(),
            steps_per_epoch=self.loop.steps_per_epoch,
            progress=asdict(self.progress),
        )
        if self._saved == (step, self.skipped):
            # The variables are on the disk already.
            self.checkpoints.update(step, manifest, is_best)
        else:
            self.checkpoints.write(step, manifest, lambda folder: self.saver.save(self.session, folder), is_best)
        self._saved = (step, self.skipped)
