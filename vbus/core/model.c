// SPDX-License-Identifier: GPL-2.0
/*
 * Registry of device models.
 *
 * vbus_models_lock guards the list.  A model that vbus_model_get() returned
 * can't be unregistered before vbus_model_put(): its module is held.
 */
#include <linux/kmod.h>
#include <linux/module.h>
#include "core.h"

static DEFINE_MUTEX(vbus_models_lock);
static LIST_HEAD(vbus_models);

static struct vbus_model *vbus_model_find(const char *name)
{
	struct vbus_model *model;

	lockdep_assert_held(&vbus_models_lock);
	list_for_each_entry(model, &vbus_models, list)
		if (!strcmp(model->name, name))
			return model;
	return NULL;
}

/**
 * vbus_register_model() - make a device class available to mkdir
 * @model: filled in; must live until vbus_unregister_model()
 *
 * Context: may sleep.
 * Return: 0, -EINVAL: a mandatory hook is missing, or there is one that does not go
 * with the others; -EEXIST: name taken; -ENOMEM.
 */
int vbus_register_model(struct vbus_model *model)
{
	const struct config_item_type *type;
	int ret = 0;

	if (!model->name || !model->alloc || !model->free || !model->enable ||
	    !model->disable || !model->device_info || !model->queue_info ||
	    !model->start || !model->stop || !model->kick == !model->serve ||
	    !model->config_read || (model->nr_stats && !model->stat) ||
	    (model->multi && model->serve))
		return -EINVAL;

	type = vbus_device_type_create(model);
	if (!type)
		return -ENOMEM;

	mutex_lock(&vbus_models_lock);
	if (vbus_model_find(model->name)) {
		ret = -EEXIST;
	} else {
		model->type = type;
		list_add_tail(&model->list, &vbus_models);
	}
	mutex_unlock(&vbus_models_lock);
	if (ret)
		vbus_device_type_destroy(type);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_register_model, VBUS_MODEL);

/**
 * vbus_unregister_model() - undo vbus_register_model()
 * @model: no device of it exists, because each holds the module
 */
void vbus_unregister_model(struct vbus_model *model)
{
	mutex_lock(&vbus_models_lock);
	list_del(&model->list);
	mutex_unlock(&vbus_models_lock);
	vbus_device_type_destroy(model->type);
	model->type = NULL;
}
EXPORT_SYMBOL_NS_GPL(vbus_unregister_model, VBUS_MODEL);

static struct vbus_model *vbus_model_try_get(const char *name)
{
	struct vbus_model *model;

	mutex_lock(&vbus_models_lock);
	model = vbus_model_find(name);
	if (model && !try_module_get(model->owner))
		model = NULL;
	mutex_unlock(&vbus_models_lock);
	return model;
}

/* Find a model by name, loading its module if need be. */
struct vbus_model *vbus_model_get(const char *name)
{
	struct vbus_model *model = vbus_model_try_get(name);

	if (model)
		return model;
	request_module("vbus-dm-%s", name);
	return vbus_model_try_get(name);
}

void vbus_model_put(struct vbus_model *model)
{
	module_put(model->owner);
}
