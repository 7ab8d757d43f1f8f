-- What check constraints cannot say, because it compares a row with what it was. Every refusal is a check_violation
-- (23514) that names what it guards, so that code can tell them apart as it does real constraints.

CREATE FUNCTION reelay_refuse(guard text, because text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', because USING ERRCODE = 'check_violation', CONSTRAINT = guard;
END $$;
--> statement-breakpoint

-- An export begins pending, at epoch 0, with nothing made.
CREATE FUNCTION exports_on_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status <> 'pending' OR NEW.epoch <> 0 THEN
    PERFORM reelay_refuse('exports_begin', 'an export begins pending at epoch 0');
  END IF;
  -- Not a foreign key of two columns as elsewhere: deleting the project or the video must leave the owner in place.
  IF EXISTS (SELECT FROM projects WHERE id = NEW.project_id AND user_id <> NEW.user_id)
    OR EXISTS (SELECT FROM videos WHERE id = NEW.video_id AND user_id <> NEW.user_id)
  THEN
    PERFORM reelay_refuse('exports_tenant_only', 'an export is of its owner''s project or video');
  END IF;
  NEW.bytes := 0;
  NEW.updated_at := NEW.created_at;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER exports_on_insert BEFORE INSERT ON exports
  FOR EACH ROW EXECUTE FUNCTION exports_on_insert();
--> statement-breakpoint

-- A trigger of its own, fired only by statements that name these columns: a move need not read a megabyte of spec.
CREATE FUNCTION exports_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id <> OLD.id OR NEW.user_id <> OLD.user_id OR NEW.created_at <> OLD.created_at OR NEW.spec <> OLD.spec
    OR NEW.type <> OLD.type OR NEW.delivery <> OLD.delivery OR NEW.settings <> OLD.settings
    OR NEW.segments IS DISTINCT FROM OLD.segments OR NEW.node_labels <> OLD.node_labels
    OR NEW.idempotency_key IS DISTINCT FROM OLD.idempotency_key OR NEW.request_digest <> OLD.request_digest
    OR NEW.frames <> OLD.frames OR NEW.duration_micros <> OLD.duration_micros
  THEN
    PERFORM reelay_refuse('exports_frozen', 'what was asked for never changes');
  END IF;
  -- Deleting a project or a video lets go of it; nothing ever points an export elsewhere.
  IF (NEW.project_id IS NOT NULL AND NEW.project_id IS DISTINCT FROM OLD.project_id)
    OR (NEW.video_id IS NOT NULL AND NEW.video_id IS DISTINCT FROM OLD.video_id)
  THEN
    PERFORM reelay_refuse('exports_frozen', 'an export stays with its project and video');
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER exports_frozen BEFORE UPDATE OF id, user_id, created_at, spec, type, delivery, settings, segments,
  node_labels, idempotency_key, request_digest, frames, duration_micros, project_id, video_id ON exports
  FOR EACH ROW EXECUTE FUNCTION exports_frozen();
--> statement-breakpoint

CREATE FUNCTION exports_on_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  planned boolean := NEW.status = 'processing' AND NEW.epoch = OLD.epoch + 1;
BEGIN
  IF NEW.epoch <> OLD.epoch AND NOT planned THEN
    PERFORM reelay_refuse('exports_epochs', format('epoch %s to %s with status %s to %s: it rises by one at each move to processing and only then',
      OLD.epoch, NEW.epoch, OLD.status, NEW.status));
  END IF;

  IF NEW.status = OLD.status AND NOT planned THEN
    IF NEW.outputs <> OLD.outputs OR NEW.error IS DISTINCT FROM OLD.error OR NEW.encoder IS DISTINCT FROM OLD.encoder
      OR NEW.started_at IS DISTINCT FROM OLD.started_at OR NEW.completed_at IS DISTINCT FROM OLD.completed_at
      -- An ended export's plan may be let go of, never replaced.
      OR (NEW.plan IS DISTINCT FROM OLD.plan AND NOT (NEW.plan IS NULL AND OLD.completed_at IS NOT NULL))
    THEN
      PERFORM reelay_refuse('exports_settled', format('a %s export keeps what it has until it moves', OLD.status));
    END IF;
  ELSIF NOT (
    planned AND OLD.status IN ('pending', 'processing')
    OR OLD.status = 'processing' AND NEW.status IN ('completed', 'failed', 'cancelled')
    OR OLD.status = 'pending' AND NEW.status IN ('failed', 'cancelled')
    OR OLD.status IN ('failed', 'cancelled') AND NEW.status = 'pending'
  ) THEN
    PERFORM reelay_refuse('exports_moves', format('%s to %s', OLD.status, NEW.status));
  END IF;

  -- The clock is Postgres' and nobody else's.
  NEW.updated_at := now();
  IF NEW.status = 'pending' THEN
    NEW.plan := NULL;
    NEW.encoder := NULL;
    NEW.error := NULL;
    NEW.outputs := '[]';
    NEW.started_at := NULL;
    NEW.completed_at := NULL;
  ELSIF NEW.status = 'processing' THEN
    NEW.started_at := coalesce(OLD.started_at, now());
    NEW.completed_at := NULL;
  ELSIF NEW.status <> OLD.status THEN
    NEW.started_at := OLD.started_at;
    NEW.completed_at := now();
  END IF;
  NEW.bytes := (SELECT coalesce(sum((o -> 'output' ->> 'bytes')::bigint), 0) FROM jsonb_array_elements(NEW.outputs) o);
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER exports_on_update BEFORE UPDATE ON exports
  FOR EACH ROW EXECUTE FUNCTION exports_on_update();
--> statement-breakpoint

CREATE FUNCTION exports_on_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status IN ('pending', 'processing') THEN
    PERFORM reelay_refuse('exports_active_kept', format('a %s export is cancelled before it is deleted', OLD.status));
  END IF;
  RETURN OLD;
END $$;
--> statement-breakpoint
CREATE TRIGGER exports_on_delete BEFORE DELETE ON exports
  FOR EACH ROW EXECUTE FUNCTION exports_on_delete();
--> statement-breakpoint

CREATE FUNCTION clips_on_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id <> OLD.id OR NEW.user_id <> OLD.user_id OR NEW.project_id <> OLD.project_id OR NEW.created_at <> OLD.created_at THEN
    PERFORM reelay_refuse('clips_frozen', 'a clip stays in its project');
  END IF;
  IF NEW.version NOT IN (OLD.version, OLD.version + 1) THEN
    PERFORM reelay_refuse('clips_versions_rise', format('version %s to %s', OLD.version, NEW.version));
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER clips_on_update BEFORE UPDATE ON clips
  FOR EACH ROW EXECUTE FUNCTION clips_on_update();
--> statement-breakpoint

-- Versions of a clip are added, never changed; they go only with their clip (by then its row is gone already).
CREATE FUNCTION clip_versions_on_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' OR EXISTS (SELECT FROM clips WHERE id = OLD.clip_id) THEN
    PERFORM reelay_refuse('clip_versions_append_only', 'versions of a clip are kept as they were');
  END IF;
  RETURN OLD;
END $$;
--> statement-breakpoint
CREATE TRIGGER clip_versions_on_change BEFORE UPDATE OR DELETE ON clip_versions
  FOR EACH ROW EXECUTE FUNCTION clip_versions_on_change();
--> statement-breakpoint

-- The version that holds exists, else a clip would silently be missing from its project. Deferred: clip and version
-- are inserted in one transaction, in either order.
ALTER TABLE clips ADD CONSTRAINT clips_current_version FOREIGN KEY (id, version)
  REFERENCES clip_versions (clip_id, version) DEFERRABLE INITIALLY DEFERRED;
--> statement-breakpoint

CREATE FUNCTION projects_on_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id <> OLD.id OR NEW.user_id <> OLD.user_id OR NEW.created_at <> OLD.created_at THEN
    PERFORM reelay_refuse('projects_frozen', 'a project stays with its owner');
  END IF;
  NEW.updated_at := now();
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER projects_on_update BEFORE UPDATE ON projects
  FOR EACH ROW EXECUTE FUNCTION projects_on_update();
--> statement-breakpoint

CREATE FUNCTION videos_on_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id <> OLD.id OR NEW.user_id <> OLD.user_id OR NEW.sha256 <> OLD.sha256 OR NEW.created_at <> OLD.created_at THEN
    PERFORM reelay_refuse('videos_frozen', 'other bytes are another video');
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER videos_on_update BEFORE UPDATE ON videos
  FOR EACH ROW EXECUTE FUNCTION videos_on_update();
--> statement-breakpoint

-- The one row that operators set.
INSERT INTO farm (id) VALUES (true);
